"""2,000 malformed requests to `tritonbuild serve`; `make fuzz-requests` sends 100,000."""

from __future__ import annotations

from tests.fuzz.requests import drawn, run


def test_malformed_requests_spoil_no_answer_and_the_server_comes_back_from_each() -> None:
    report = run(2000, seed=7)

    told = "\n".join(report.lines())
    assert report.requests == 2000, told
    assert report.wrong == 0, told
    assert report.failed == [], told
    assert report.right > 200, told
    assert sum(report.deaths.values()) + report.replayed == report.restarts, told
    assert report.longest_s < 45, told


def test_a_seed_gives_the_same_requests() -> None:
    assert list(drawn(3, 300)) == list(drawn(3, 300))
    assert list(drawn(3, 300)) != list(drawn(4, 300))
