"""MovieLens releases of a few rows, in the layout of the real ones; the values are invented."""

import zipfile

ONE_M = {
    "ratings.dat": "1::10::5::978300760\n2::10::3::978302109\n2::20::4::978301968\n",
    "movies.dat": "10::Café Nord: The Film (1995)::Animation|Children's|Comedy\n20::Nameless::\n",
    "users.dat": "1::F::1::10::48067\n2::M::56::16::\n",
}


def _movie(number, title, date, *genres):
    flags = ["1" if flag in genres else "0" for flag in range(19)]
    return "|".join([str(number), title, date, "", "", *flags]) + "\n"


HUNDRED_K = {
    "u.data": "1\t10\t5\t881250949\n2\t10\t3\t891717742\n2\t20\t4\t878887116\n",
    # Flags 3, 4 and 5 are Animation, Children's and Comedy; flag 0 is "unknown".
    "u.item": _movie(10, "Café Nord (1994)", "01-Jan-1995", 3, 4, 5) + _movie(20, "unknown", "", 0),
    "u.user": "1|24|F|technician|85711\n2|53|M|none|\n",
}


def write_folder(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode("latin-1"))
    return folder


def write_zip(path, files, folder="ml"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"{folder}/{name}".lstrip("/"), text.encode("latin-1"))
    return path
