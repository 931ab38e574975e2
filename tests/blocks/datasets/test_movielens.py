import io
import zipfile

import pytest

from emrys.blocks.datasets import LOG_SCHEMA, load_movielens
from emrys.blocks.errors import DataError
from tests import real_data
from tests.blocks.datasets.small_movielens import HUNDRED_K, ONE_M, write_folder, write_zip


def error_of(path):
    with pytest.raises(DataError) as error:
        load_movielens(path)
    assert error.value.exit_status == 2
    return str(error.value)


def test_1m_is_joined_row_by_row(tmp_path):
    table = load_movielens(write_zip(tmp_path / "1m.zip", ONE_M))
    assert table.schema == LOG_SCHEMA
    assert table.to_pylist() == [
        {
            "userId": 1,
            "movieId": 10,
            "timestamp": 978300760,
            "rating": 5.0,
            "title": "Café Nord: The Film (1995)",
            "genres": ["Animation", "Children's", "Comedy"],
            "release_year": 1995.0,
            "gender": "F",
            "age": 1,
            "occupation": "K-12 student",  # code 10
            "zipcode": "48067",
        },
        {
            "userId": 2,
            "movieId": 10,
            "timestamp": 978302109,
            "rating": 3.0,
            "title": "Café Nord: The Film (1995)",
            "genres": ["Animation", "Children's", "Comedy"],
            "release_year": 1995.0,
            "gender": "M",
            "age": 56,
            "occupation": "self-employed",  # code 16
            "zipcode": None,
        },
        {
            "userId": 2,
            "movieId": 20,
            "timestamp": 978301968,
            "rating": 4.0,
            "title": "Nameless",
            "genres": [],
            "release_year": None,
            "gender": "M",
            "age": 56,
            "occupation": "self-employed",
            "zipcode": None,
        },
    ]


def test_100k_is_joined_row_by_row(tmp_path):
    table = load_movielens(write_zip(tmp_path / "100k.zip", HUNDRED_K))
    assert table.schema == LOG_SCHEMA
    # The year is that of the release date, not that of the title.
    assert table["release_year"].to_pylist() == [1995.0, 1995.0, None]
    assert table["genres"].to_pylist() == [["Animation", "Children's", "Comedy"]] * 2 + [[]]
    assert table["title"].to_pylist() == ["Café Nord (1994)"] * 2 + ["unknown"]
    assert table["occupation"].to_pylist() == ["technician", "none", "none"]
    assert table["zipcode"].to_pylist() == ["85711", None, None]
    assert table["age"].to_pylist() == [24, 53, 53]
    assert table["timestamp"].to_pylist() == [881250949, 891717742, 878887116]


@pytest.mark.parametrize("files", [HUNDRED_K, ONE_M], ids=["100k", "1m"])
def test_folder_and_archive_give_the_same(tmp_path, files):
    inner = load_movielens(write_folder(tmp_path / "outer" / "inner", files))
    assert load_movielens(tmp_path / "outer").equals(inner)
    assert load_movielens(write_zip(tmp_path / "a.zip", files)).equals(inner)
    assert load_movielens(write_zip(tmp_path / "flat.zip", files, folder="")).equals(inner)


def test_lines_of_windows_and_empty_lines_at_the_end(tmp_path):
    files = {name: text.replace("\n", "\r\n") + "\r\n" for name, text in ONE_M.items()}
    expected = load_movielens(write_folder(tmp_path / "a", ONE_M))
    assert load_movielens(write_folder(tmp_path / "b", files)).equals(expected)


@pytest.mark.parametrize(
    ("files", "name", "text", "message"),
    [
        (
            ONE_M,
            "ratings.dat",
            "1::10::5::978300760\n1::20::good::978300761\n",
            "column 'rating': wrong value in line 2; expected a number, got 'good'. "
            "Correct the line, or download the data again.",
        ),
        (
            ONE_M,
            "ratings.dat",
            "1::10::5::978300760\n\n1::20::nan::978300761\n",
            "column 'rating': wrong value in line 3; expected a number, got 'nan'. "
            "Correct the line, or download the data again.",
        ),
        (
            ONE_M,
            "ratings.dat",
            "1::10::5::978300760\n1::20::4\n",
            "line 2 is incomplete; expected 4 fields (userId, movieId, rating, timestamp), got 3. "
            "Correct the line, or download the data again.",
        ),
        (
            ONE_M,
            "ratings.dat",
            "1::10::5::978300760\n1::10.5::5::978300760\n",
            "column 'movieId': wrong value in line 2; expected an integer, got '10.5'. "
            "Correct the line, or download the data again.",
        ),
        (
            ONE_M,
            "ratings.dat",
            "1::10::5::978300760\n::10::5::978300760\n",
            "column 'userId': the field is empty in line 2; expected an integer, got ''. "
            "Correct the line, or download the data again.",
        ),
        (
            ONE_M,
            "movies.dat",
            "10::Café\rNord::Drama\n20::Nameless::\n",
            "line 1 is incomplete; expected 3 fields (movieId, title, genres), got 2. "
            "Correct the line, or download the data again.",
        ),
        (ONE_M, "ratings.dat", " \n", "the file is empty; expected one row per line"),
        (
            ONE_M,
            "users.dat",
            "1::F::1::10::48067\n",
            "column 'userId': userId 2 has ratings but no line here; expected one line for each in the "
            "ratings, got none for 1 of them. Download the data set again.",
        ),
        (
            ONE_M,
            "users.dat",
            ONE_M["users.dat"] + "2::M::56::16::\n",
            "column 'userId': userId 2 has 2 lines",
        ),
        (
            ONE_M,
            "users.dat",
            "1::F::1::10::48067\n2::M::56::21::\n",
            "column 'occupation': unknown occupation of user 2; expected a code from 0 to 20, got 21",
        ),
        (
            HUNDRED_K,
            "u.item",
            HUNDRED_K["u.item"].replace("unknown||||1|", "unknown||||1|2|").removesuffix("|0\n") + "\n",
            "column 'Action': wrong genre flag of movie 20; expected 0 or 1, got 2",
        ),
        (
            HUNDRED_K,
            "u.item",
            "10|Café|01-Jan-1995||0|0\n",
            "line 1 is incomplete; expected 24 fields (movieId, title, release date, video release date, url, unknown, "
            "...), got 6. Correct the line, or download the data again.",
        ),
    ],
)
def test_a_faulty_file_is_named_with_line_and_column(tmp_path, files, name, text, message):
    path = write_zip(tmp_path / "a.zip", {**files, name: text})
    assert error_of(path) == f"{path}/ml/{name}: {message}"


def test_a_missing_file_is_named(tmp_path):
    files = {name: text for name, text in ONE_M.items() if name != "movies.dat"}
    path = write_folder(tmp_path / "ml-1m", files)
    assert error_of(path) == f"{path}/movies.dat: the file is missing. Download the data set again."


def test_a_folder_of_other_things(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    assert error_of(tmp_path) == (
        f"{tmp_path}: there is no MovieLens data set; expected u.data, u.item, u.user or ratings.dat, movies.dat, "
        "users.dat, got photo.jpg"
    )


def test_two_data_sets_in_one_folder(tmp_path):
    write_folder(tmp_path / "ml-100k", HUNDRED_K)
    write_folder(tmp_path / "ml-1m", ONE_M)
    assert error_of(tmp_path) == (
        f"{tmp_path}: several MovieLens data sets are there; got ml-100k, ml-1m. Pass one of them."
    )


def test_no_such_file(tmp_path):
    assert error_of(tmp_path / "a.zip") == f"{tmp_path}/a.zip: there is no such file or folder"


def test_a_truncated_archive(tmp_path):
    path = write_zip(tmp_path / "a.zip", ONE_M)
    path.write_bytes(path.read_bytes()[:200])
    assert (
        error_of(path)
        == f"{path}: the archive is damaged or not a zip archive (File is not a zip file). Download it again."
    )


def test_an_archive_of_an_unknown_version(tmp_path):
    path = write_zip(tmp_path / "a.zip", ONE_M)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 99  # the version needed to extract, in tenths
    path.write_bytes(bytes(data))
    assert error_of(path) == (
        f"{path}: the archive is damaged or not a zip archive (zip file version 9.9). Download it again."
    )


def test_a_damaged_member(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, text in ONE_M.items():
            archive.writestr(name, text)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"978300760", b"978300761", 1))
    message = "the archive is damaged or not a zip archive (Bad CRC-32 for file 'ratings.dat'). Download it again."
    assert error_of(path) == f"{path}/ratings.dat: {message}"


@pytest.mark.parametrize("name", ["../users.dat", "/etc/users.dat", "ml/../../users.dat", "..\\users.dat"])
def test_an_archive_that_points_outside_is_refused(tmp_path, name):
    path = write_zip(tmp_path / "a.zip", ONE_M)
    buffer = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(name, "x")
    path.write_bytes(buffer.getvalue())
    assert error_of(path) == (
        f"{path}: the archive has a member that points outside of it; expected relative names without '..', "
        f"got {name!r}"
    )


@pytest.mark.slow
def test_the_real_100k():
    table = load_movielens(real_data.path("ml-100k.zip"))
    assert table.num_rows == 100_000
    assert table.schema == LOG_SCHEMA
    users, movies, times = (table[name].to_pylist() for name in ("userId", "movieId", "timestamp"))
    assert (len(set(users)), len(set(movies))) == (943, 1682)
    assert (min(times), max(times)) == (874724710, 893286638)
    # Counted with awk in u.data: ratings 1 to 5.
    ratings = table["rating"].to_pylist()
    assert [ratings.count(value) for value in (1, 2, 3, 4, 5)] == [6110, 11370, 27145, 34174, 21201]
    # Its first line is "196 242 3 881250949"; user 196 is 49, M, writer; film 242 came out on 24-Jan-1997.
    assert table.slice(0, 1).to_pylist() == [
        {
            "userId": 196,
            "movieId": 242,
            "timestamp": 881250949,
            "rating": 3.0,
            "title": "Kolya (1996)",
            "genres": ["Comedy"],
            "release_year": 1997.0,
            "gender": "M",
            "age": 49,
            "occupation": "writer",
            "zipcode": "55105",
        }
    ]
    # Counted in the files: 9 ratings of film 267, the one without a date; 10 of films 267 and 1373, of unknown genre.
    assert table["release_year"].null_count == 9
    assert sum(len(genres) == 0 for genres in table["genres"].to_pylist()) == 10
    assert {name: table[name].null_count for name in ("title", "genres", "gender", "age", "zipcode")} == dict.fromkeys(
        ("title", "genres", "gender", "age", "zipcode"), 0
    )
