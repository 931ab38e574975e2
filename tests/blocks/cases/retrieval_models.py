"""Cases of the shared check for the blocks of retrieval models."""

import warnings

import emrys.blocks as mm
from tests.blocks.models.retrieval import HISTORY, SCHEMA, first, histories, log, two_tower


def _warned(make):
    """Makes a block without showing the warning that it is deprecated."""

    def quiet():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return make()

    return quiet


_BATCH = first(log())

CASES = {
    "two-tower encoders": (lambda: two_tower().encoder, _BATCH),
    "MatrixFactorization encoders": (lambda: mm.MatrixFactorizationModelV2(SCHEMA, 4, post="l2-norm").encoder, _BATCH),
    "YoutubeDNN encoder": (
        lambda: mm.YoutubeDNNRetrievalModelV2(HISTORY, num_sampled=5).encoder,
        first(histories()),
    ),
    "DualEncoderBlock": (
        _warned(
            lambda: mm.DualEncoderBlock(
                mm.Encoder(SCHEMA.select_by_name("user_id"), mm.Dense(3)),
                mm.Encoder(SCHEMA.select_by_name("item_id"), mm.Dense(3)),
                l2_normalization=True,
            )
        ),
        _BATCH,
    ),
    "TwoTowerBlock": (_warned(lambda: mm.TwoTowerBlock(SCHEMA, mm.MLPBlock([4]), post=mm.L2Norm())), _BATCH),
    "QueryItemIdsEmbeddingsBlock": (
        _warned(lambda: mm.QueryItemIdsEmbeddingsBlock(SCHEMA, 4, embeddings_l2_reg=0.1)),
        _BATCH,
    ),
    "MatrixFactorizationBlock": (_warned(lambda: mm.MatrixFactorizationBlock(SCHEMA, 4)), _BATCH),
}
