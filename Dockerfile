# warpwright as a container. Build it for the machine at hand:
#   docker build -t warpwright .
#   docker build -t warpwright-gpu --build-arg BASE=nvidia/cuda:13.0.1-base-ubuntu24.04 --build-arg EXTRAS=gpu .
# Run the MCP server over stdio:   docker run --rm -i warpwright serve
# Keep the runs between containers: docker run --rm -it -v warpwright:/home/warpwright warpwright optimize softmax
#
# Inside a container bubblewrap often cannot make namespaces; warpwright then says so and isolates by process.
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
ARG EXTRAS=""
RUN if ! command -v python3 >/dev/null || ! python3 -c 'import ensurepip' 2>/dev/null; then \
        apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*; \
    fi
# PyCUDA ships as source only: the gpu extra needs a compiler and the CUDA headers while it is built.
RUN if [ "${EXTRAS}" = gpu ]; then \
        apt-get update && apt-get install -y --no-install-recommends g++ python3-dev cuda-nvcc-13-0 libcurand-dev-13-0 && \
        rm -rf /var/lib/apt/lists/*; \
    fi
COPY . /src
RUN python3 -m venv /opt/warpwright && \
    PATH="/usr/local/cuda/bin:${PATH}" /opt/warpwright/bin/pip install --no-cache-dir "/src${EXTRAS:+[${EXTRAS}]}"

FROM ${BASE}
RUN if ! command -v python3 >/dev/null; then \
        apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*; \
    fi && \
    useradd --create-home --uid 10001 warpwright
COPY --from=build /opt/warpwright /opt/warpwright
ENV PATH="/opt/warpwright/bin:${PATH}" PYTHONUNBUFFERED=1
USER warpwright
WORKDIR /home/warpwright
ENTRYPOINT ["warpwright"]
CMD ["--help"]
