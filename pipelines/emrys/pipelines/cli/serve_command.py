"""Implementation of `emrys serve`."""

from __future__ import annotations

from pathlib import Path

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.artifact import MANIFEST
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.serving.server import TritonServer, serve_forever
from emrys.pipelines.local.summary import command_name


def serve_folder(folder: Path, *, http_port: int, grpc_port: int, address: str, log: Path | None) -> None:
    """Serves the ensemble of a run until interrupted.

    Args:
        folder: Folder of a run, an exported repository, or the folder of its models.
        http_port: Port for HTTP; 0 takes a free one.
        grpc_port: Port for gRPC; 0 takes a free one.
        address: Address to listen on.
        log: File for the server's log.
    """
    models = models_in(folder)

    def on_ready(server: TritonServer) -> None:
        print(f"serving {models}: gRPC {server.grpc_url}, HTTP {server.http_url}; Ctrl-C stops it", flush=True)
        sample = f" --from {folder}" if (folder / "pipeline").is_dir() else " --rows FILE"
        print(f"ask it: {command_name()} predict --url {server.grpc_url}{sample}", flush=True)

    serve_forever(models, http_port, grpc_port, metrics_port=None, address=address, log_file=log, on_ready=on_ready)


def models_in(folder: Path) -> Path:
    """Locates the folder that Triton loads.

    Args:
        folder: Folder of a run, an exported repository, or the folder of its models.

    Raises:
        ConfigError: if the folder is none of these.
        ArtifactError: if the repository is damaged.
    """
    for candidate in (folder / "triton", folder):
        if (candidate / MANIFEST).is_file():
            return TritonRepository(candidate).models
    if any(folder.glob("*/config.pbtxt")):
        return folder
    raise ConfigError(
        "there is no ensemble to serve" if folder.is_dir() else "the folder is missing",
        path=folder,
        expected="the output folder of `emrys run`, or a Triton repository",
    )
