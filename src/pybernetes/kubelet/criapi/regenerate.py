"""Generates `*_pb2.py` from the .proto files in this folder: `python -m pybernetes.kubelet.criapi.regenerate`."""

import sys
from pathlib import Path

from grpc_tools import protoc


def main() -> int:
    """Run protoc; returns its exit code."""
    here = Path(__file__).parent
    include = Path(protoc.__file__).parent / "_proto"
    files = [str(path) for path in sorted(here.glob("*.proto"))]
    return int(protoc.main(["protoc", f"-I{here}", f"-I{include}", f"--python_out={here}", *files]))


if __name__ == "__main__":
    sys.exit(main())
