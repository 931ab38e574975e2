"""Artifact of the step infer_schema: the schema of the transformed data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.data_schema import DataSchema
from emrys.components.contracts.splits import stored_data_schema

if TYPE_CHECKING:  # Merlin imports TensorFlow if it is installed; opening an artifact should not
    from merlin.schema import Schema

_FILE = "schema.pbtxt"


class FeatureSchema(Artifact):
    """`schema.pbtxt`: a Merlin schema as protobuf text of tensorflow-metadata; and `data_schema.json` of the log.

    Metadata: `roles` (role of every column by name), `data` and `workflow` (fingerprints of its inputs).

    Args:
        path: The folder.

    Raises:
        ArtifactError: if the folder does not fit.
    """

    kind = "schema"
    required = (_FILE,)

    @classmethod
    def write(
        cls,
        path: str | os.PathLike[str],
        schema: Schema,
        metadata: Mapping[str, Any],
        data_schema: DataSchema | None = None,
    ) -> FeatureSchema:
        """Writes a schema atomically; equal schemas give equal bytes.

        Args:
            path: Folder of the artifact.
            schema: The schema.
            metadata: Metadata for the manifest.
            data_schema: Columns and targets of the log. Default: not known.

        Returns:
            The artifact.
        """
        from merlin.schema.io.tensorflow_metadata import TensorflowMetadata

        stored = TensorflowMetadata.from_merlin_schema(schema)
        for feature in stored.proto_schema.feature:
            feature.annotation.tag.sort()  # a set: its order differs from process to process
        with cls.create(path, dict(metadata)) as folder:
            (folder / _FILE).write_text(stored.to_proto_text(), encoding="utf-8")
            if data_schema is not None:
                data_schema.write(folder)
        return cls(path)

    @cached_property
    def schema(self) -> Schema:
        """The `merlin.schema.Schema`.

        Raises:
            ArtifactError: if the file is no schema.
        """
        from google.protobuf.text_format import ParseError
        from merlin.schema.io.tensorflow_metadata import TensorflowMetadata

        try:
            return TensorflowMetadata.from_proto_text_file(self.path, _FILE).to_merlin_schema()
        except (ParseError, UnicodeDecodeError) as error:
            raise ArtifactError(f"not a schema ({error})", path=self.path / _FILE) from None

    @cached_property
    def data_schema(self) -> DataSchema:
        """Columns and targets of the log; artifacts of earlier releases are of MovieLens."""
        return stored_data_schema(self)

    @property
    def roles(self) -> dict[str, str]:
        """Role of every column, by name.

        `user_id`, `item_id`, `session_id`, `user`, `item`, `history`, `context`, or a kind of target.
        """
        return dict(self.metadata.get("roles", {}))
