"""Build the HTML book with warnings as errors, check it, and only then put it in the place of the old one."""

import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from pipeline import check_site, freshness
from pipeline.chapters import ROOT


def main(root: Path = ROOT) -> int:
    """Build and check; return the exit code."""
    build = root / "_build"
    build.mkdir(exist_ok=True)
    fresh, html = build / "next", build / "html"
    with FileLock(build / "book.lock"):
        stale = freshness.problems(root)
        if stale:
            print(
                "\n".join(["ERROR: the executed notebooks are not those of the sources:", *stale]),
                file=sys.stderr,
            )
            return 1
        # Not over the old pages: one that left the contents would stay.
        shutil.rmtree(fresh, ignore_errors=True)
        # -n also reports references to nothing. The output is shown only when it fails: it names the folder
        # that was written to, which is not where the book will be.
        command = [
            str(Path(sys.executable).with_name("jupyter-book")),
            "build",
            str(root),
            "--path-output",
            str(fresh),
        ]
        built = subprocess.run(
            [*command, "--all", "-W", "-n", "--keep-going", "--quiet"],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if built.returncode != 0:
            print(built.stdout, file=sys.stderr)
            print(
                "ERROR: jupyter-book failed, its messages are above; the book built before is as it was.",
                file=sys.stderr,
            )
            return 1
        pages = fresh / "_build" / "html"
        found = check_site.problems(root, pages)
        if found:
            print("\n".join([f"ERROR: {len(found)} defects in the built pages:", *found]), file=sys.stderr)
            print(
                f"Those pages are in {pages.relative_to(root)}; the book built before is as it was.",
                file=sys.stderr,
            )
            return 1
        shutil.rmtree(html, ignore_errors=True)
        pages.rename(html)
        shutil.rmtree(fresh, ignore_errors=True)
    check_site.report(root)
    print(f"The book: open {(html / 'index.html').relative_to(root)} in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
