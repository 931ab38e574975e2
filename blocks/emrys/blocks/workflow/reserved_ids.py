"""What the first ids of every categorical column mean, and how a request says null."""

from __future__ import annotations

from typing import Final

#: Id of what only fills a dense list; no value is encoded as it.
PADDING: Final = 0
#: Id of a missing value.
NULL: Final = 1
#: Id of a value that the train split did not hold, or too rarely.
UNSEEN: Final = 2
#: Id of the most frequent value; the others follow by falling frequency.
FIRST_KNOWN: Final = 3

#: Stands for null where a column of int64 cannot hold one; strings use "" and floats NaN.
NULL_INT: Final = -(2**63)
