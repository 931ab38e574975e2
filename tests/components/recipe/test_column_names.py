from __future__ import annotations

from emrys.components.recipe.column_names import expand_name, expand_names

KNOWN = ["C1", "C2", "C3", "C10", "x01", "x02", "price", "a..b", "star*"]


def test_a_range_stands_for_all_its_numbers():
    assert expand_name("k", "C1..C3", KNOWN) == (("C1", "C2", "C3"), None)
    assert expand_name("k", "x01..x02", KNOWN) == (("x01", "x02"), None)


def test_missing_columns_of_a_range_are_named():
    columns, fault = expand_name("columns.user", "C2..C5", KNOWN)
    assert columns == ("C2", "C3")
    assert str(fault) == "columns.user: columns of the range are missing; got no C4, C5. Shorten the range 'C2..C5'."


def test_a_range_backwards_is_empty():
    assert "expected C1..C3, got 'C3..C1'" in str(expand_name("k", "C3..C1", KNOWN)[1])


def test_a_glob_takes_the_columns_that_match_in_the_order_of_the_log():
    assert expand_name("k", "C*", KNOWN) == (("C1", "C2", "C3", "C10"), None)
    assert expand_name("k", "C?", KNOWN) == (("C1", "C2", "C3"), None)
    assert "no such column" in str(expand_name("k", "D*", KNOWN)[1])


def test_an_exact_name_comes_before_ranges_and_globs():
    assert expand_name("k", "a..b", KNOWN) == (("a..b",), None)
    assert expand_name("k", "star*", KNOWN) == (("star*",), None)


def test_the_nearest_name_is_suggested():
    assert str(expand_name("columns.item", "Prise", KNOWN)[1]).endswith("got 'Prise'. Did you mean 'price'?")


def test_each_column_stands_once_in_a_list_and_all_faults_are_told():
    columns, faults = expand_names("k", ["C2", "C1..C3", "nope", "also"], KNOWN)
    assert columns == ("C2", "C1", "C3")
    assert [fault.got for fault in faults] == ["'nope'", "'also'"]
