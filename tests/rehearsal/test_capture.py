from rehearsal.capture import combined_lines, visits

EDGE = (
    b'10.40.0.1 - - [23/Nov/2026:13:06:33 +0000] "GET /product/7 HTTP/1.1" 200 1048 "-" "%s" 1 source/aws-1\n'
)


def test_only_the_lines_of_this_run_and_only_their_combined_part() -> None:
    log = [
        EDGE % b"visitor/1",
        b"Server source_writes/aws-3 is DOWN via source/aws-3.\n",
        EDGE % b"customer/1.0",
        EDGE.replace(b"/product/7", b"/search?q=wool") % b"visitor/1",
        b'10.40.0.1 - - [23/Nov/2026:13:06:33 +0000] "GET /cut',
    ]
    lines = combined_lines(log, "visitor/1")
    assert lines == [
        b'10.40.0.1 - - [23/Nov/2026:13:06:33 +0000] "GET /product/7 HTTP/1.1" 200 1048 "-" "visitor/1"',
        b'10.40.0.1 - - [23/Nov/2026:13:06:33 +0000] "GET /search?q=wool HTTP/1.1" 200 1048 "-" "visitor/1"',
    ]
    assert combined_lines(log, "visitor/2") == []


def test_visits_are_repeatable_and_nobody_s_cart_is_among_them() -> None:
    first = list(visits(2000))
    assert first == list(visits(2000))
    assert {visit.method for visit in first} == {"GET"}
    kinds = {visit.path.split("/")[1].split("?")[0] for visit in first}
    assert kinds == {"", "product", "search", "media"}
