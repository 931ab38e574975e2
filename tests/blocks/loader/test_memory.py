"""Memory of a process that reads data, for any size of the data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

#: Prints by how many KiB an epoch raises the most memory that the process has held, as the system counts it.
PROGRAM = """
import sys
from pathlib import Path
import pyarrow as pa
from emrys.blocks.loader import Loader

def most():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

path, times = Path(sys.argv[1]), [int(number) for number in sys.argv[2:]]
list(Loader(pa.table({"a": [1, 2]}), 1))  # what TensorFlow itself takes
for count in times:
    before = most()
    rows = 0
    for features, _ in Loader([path] * count, 1000, buffer_size=50_000):
        rows += len(features["c0"])
    print(rows, most() - before)
"""


@pytest.mark.slow
def test_ten_times_the_data_takes_hardly_more(tmp_path: Path) -> None:
    # 16 columns of 8 bytes: 12.8 MB a file, once and ten times; a buffer of 50,000 rows is 6.4 MB.
    rng = np.random.default_rng(0)
    path = tmp_path / "rows.parquet"
    pq.write_table(
        pa.table({f"c{number}": rng.integers(0, 2**60, 100_000) for number in range(16)}),
        path,
        row_group_size=20_000,
        use_dictionary=False,
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), "2", "20"], check=True, capture_output=True, text=True, timeout=300
    )
    (rows, small), (ten_times, more) = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    assert (rows, ten_times) == (200_000, 2_000_000)
    # Twice the buffer, blocks on their way and pages: under 200 MB. The data is 26 MB, then 256 MB; what the larger one
    # takes on top of the first is what the allocator had not got back yet.
    assert small < 200_000
    assert more < 100_000
