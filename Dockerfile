# Two images: `sandbox`, in which WARPWRIGHT_ISOLATION=docker runs each worker, and `server`, all of warpwright.
#   docker build --target sandbox -t warpwright-sandbox .
#   docker build --target server -t warpwright .
# For a machine with a GPU:
#   docker build -t warpwright-gpu --build-arg BASE=nvidia/cuda:13.0.1-base-ubuntu24.04 --build-arg EXTRAS=gpu .
# Run the MCP server over stdio:   docker run --rm -i warpwright serve
# The same over HTTP, for those who have a token (`token add NAME` in the same volume prints one):
#   docker run --rm -v warpwright:/home/warpwright -p 8000:8000 warpwright serve --http --host 0.0.0.0 --allow-host NAME
# For several machines: --build-arg EXTRAS=postgres,observe,ray (examples/deploy).
# Keep the runs between containers: docker run --rm -it -v warpwright:/home/warpwright warpwright optimize softmax
#
# BASE: an image with Python 3.11 or newer and its venv module, or one with apt-get to install them from.
# Without a package index, put all wheels into wheelhouse/ before (README.md says how); pip then uses only these.
# Inside a container bubblewrap often cannot make namespaces; warpwright then says so and isolates by process.
ARG BASE=python:3.12-slim

FROM ${BASE} AS python
RUN if ! python3 -c 'import ensurepip' 2>/dev/null; then \
        apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*; \
    fi

FROM python AS build
ARG EXTRAS=""
# PyCUDA ships as source only: the gpu extra needs a compiler and the CUDA headers while it is built.
RUN case ",${EXTRAS}," in *,gpu,*) \
        apt-get update && apt-get install -y --no-install-recommends g++ python3-dev cuda-nvcc-13-0 libcurand-dev-13-0 && \
        rm -rf /var/lib/apt/lists/* ;; \
    esac
# The pattern makes the folder optional: COPY fails only where nothing at all is found.
COPY pyproject.toml wheelhous[e] /wheelhouse/
RUN if ls /wheelhouse/*.whl >/dev/null 2>&1; then \
        printf '[global]\nno-index = true\nfind-links = /wheelhouse\n' >/etc/pip.conf; \
    fi && \
    python3 -m venv /opt/warpwright/venv && \
    PATH="/usr/local/cuda/bin:${PATH}" /opt/warpwright/venv/bin/pip install --no-cache-dir --target /opt/warpwright/site \
        "numpy>=2" "ml_dtypes>=0.5" "cuda-bindings>=13.0,<13.1" \
        $(case ",${EXTRAS}," in *,gpu,*) echo "pycuda>=2025.1" ;; esac) && \
    python3 -c 'import pathlib; [file.unlink() for file in pathlib.Path("/opt/warpwright/site").rglob("*.cpp")]'

FROM python AS sandbox
ARG EXTRAS=""
COPY --from=build /opt/warpwright/site /opt/warpwright/site
# What a worker imports is compiled here, once: its root is read-only.
RUN PYTHONPATH=/opt/warpwright/site python3 -c 'import json, socket, subprocess, threading, numpy.random, ml_dtypes, cuda.bindings.nvrtc'
LABEL org.warpwright.packages="numpy ml_dtypes cuda.bindings cuda.pathfinder ${EXTRAS:+pycuda}"
USER 65534:65534
WORKDIR /tmp
ENTRYPOINT ["python3"]

FROM build AS install
ARG EXTRAS=""
COPY . /src
RUN PATH="/usr/local/cuda/bin:${PATH}" /opt/warpwright/venv/bin/pip install --no-cache-dir "/src${EXTRAS:+[${EXTRAS}]}" && \
    mkdir -p /home/warpwright

FROM python AS server
COPY --from=install /opt/warpwright/venv /opt/warpwright/venv
COPY --from=install --chown=10001:10001 /home/warpwright /home/warpwright
ENV PATH="/opt/warpwright/venv/bin:${PATH}" HOME=/home/warpwright PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /home/warpwright
LABEL io.modelcontextprotocol.server.name="io.github.warpwright/warpwright"
EXPOSE 8000
ENTRYPOINT ["warpwright"]
CMD ["--help"]
