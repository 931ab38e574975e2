"""Reserved ids of categorical columns, and the null value of int64 in requests."""

from __future__ import annotations

from typing import Final

#: Id of padding in dense lists.
PADDING: Final = 0
#: Id of a missing value.
NULL: Final = 1
#: Id of a value that is not in the train split, or below the frequency threshold.
UNSEEN: Final = 2
#: Id of the most frequent value; the others follow by descending frequency.
FIRST_KNOWN: Final = 3

#: Null in int64 arrays; strings use "" and floats NaN.
NULL_INT: Final = -(2**63)
