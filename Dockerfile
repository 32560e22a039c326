# The book for a reader without Python:
#   docker build -t ntk-book . && docker run --rm -p 127.0.0.1:8000:8000 ntk-book    then open localhost:8000
# It builds the pages from the committed notebooks. `docker run --rm ntk-book make test` fetches the data and executes
# them all again (half an hour or more).
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /book
# The environment first: it is made again only when what it is made from changes.
COPY Makefile pyproject.toml requirements*.lock README.md LICENSE ./
COPY pipeline/environment.py pipeline/environment.py
# Of ntklib its name is enough: the installation points to the folder, whose modules come with the rest below.
COPY ntklib/__init__.py ntklib/__init__.py
# torch's plain wheel for Linux brings GPU libraries; --build-arg PIP_EXTRA_INDEX_URL=… names an index of CPU wheels.
ARG PIP_EXTRA_INDEX_URL=
RUN make environment
COPY . .
RUN .venv/bin/python -m pipeline.build
EXPOSE 8000
CMD [".venv/bin/python", "-m", "http.server", "--directory", "_build/html", "8000"]
