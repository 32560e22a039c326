"""Execute one chapter with papermill in a process of its own; report progress as JSON lines on stdout."""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import jupytext
import matplotlib
import nbformat
import papermill
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError


def report(**event: Any) -> None:
    """Send one event to the parent process."""
    print(json.dumps(event), flush=True)


class ReportingEngine(NBClientEngine):
    """papermill's own engine, which also says how many cells are done."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: Any
    ) -> None:
        """Execute the notebook, reporting each cell that ends."""
        total = len(nb_man.nb.cells)
        report(done=0, total=total)
        cell_complete = nb_man.cell_complete

        def reporting(*args: Any, **kwargs: Any) -> None:
            cell_complete(*args, **kwargs)
            report(done=kwargs["cell_index"] + 1, total=total)

        nb_man.cell_complete = reporting
        super().execute_managed_notebook(nb_man, kernel_name, **options)


def isolate(folder: Path) -> None:
    """Keep the user's settings away: start-up files, matplotlibrc, another ``python3`` kernel."""
    os.environ["IPYTHONDIR"] = str(folder / "ipython")
    os.environ["JUPYTER_CONFIG_DIR"] = str(folder / "jupyter")
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.pop("JUPYTER_PATH", None)
    os.environ.pop("MPLBACKEND", None)
    os.environ["MATPLOTLIBRC"] = str(Path(matplotlib.get_data_path()) / "matplotlibrc")


def execute(
    source: Path,
    output: Path,
    folder: Path,
    parameters: dict[str, Any] | None = None,
    time_limit: int | None = 1800,
) -> int:
    """Execute ``source`` in ``folder``, write the executed notebook to ``output``, return an exit code."""
    papermill_engines.register("reporting", ReportingEngine)
    # Outside book/, where nbval would collect it.
    draft = output.with_suffix(".draft.ipynb")
    nbformat.write(jupytext.read(source), draft)
    try:
        papermill.execute_notebook(
            draft,
            output,
            parameters=parameters,
            cwd=folder,
            kernel_name="python3",
            engine_name="reporting",
            progress_bar=False,
            start_timeout=120,
            execution_timeout=time_limit,
        )
    except PapermillExecutionError as error:
        report(
            cell=error.cell_index,
            source=error.source,
            error=f"{error.ename}: {error.evalue}",
            trace=error.traceback,
        )
        return 1
    except Exception as error:
        # A kernel that was killed or never started: no cell's fault, but a message all the same.
        report(cell=None, source="", error=f"{type(error).__name__}: {error}", trace=[])
        return 1
    return 0


def end_with_parent() -> None:
    """End this process, and with it the kernel, when its parent was killed and can't say so."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    """Read the three paths from the command line, and the parameters of a full run, if there are any."""
    source, output, folder = (Path(argument).resolve() for argument in sys.argv[1:4])
    # An ordinary exception, so that papermill's clean-up shuts the kernel down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    end_with_parent()
    with tempfile.TemporaryDirectory(prefix="ntklib-kernel-") as temporary:
        isolate(Path(temporary))
        if len(sys.argv) == 4:
            return execute(source, output, folder)
        return execute(source, output, folder, json.loads(sys.argv[4]), time_limit=None)


if __name__ == "__main__":
    sys.exit(main())
