"""Serving with Triton: writing model repositories, checking them, publishing, running a server, asking it.

Writing a repository: `columns`, `model_config`, `repository`, `retrieval_repository`, `readme`, `config`.
Running inside Triton: `backends`, whose classes also run in process (`in_process`).
Checking and publishing: `parity` (served results against offline ones), `publishing`.
Operating: `installation`, `server`, `supervisor`, `sync` (a repository from Cloud Storage), `canary` (two releases
compared).
Asking: `client`, `packing`, `recommendation`.

Nothing is imported here, so that the server, the client and `sync` start without TensorFlow.
"""
