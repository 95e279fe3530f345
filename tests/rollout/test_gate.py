"""`--gate`: a candidate is compared with the version now served, in parity and, where there are servers, in latency."""

from __future__ import annotations

import pytest

from builder.gating import worse
from tests.rollout.conftest import Ground, document


def test_where_nothing_is_served_yet_the_gate_says_so_and_passes(ground: Ground):
    result = ground.publish("gated_first", 1, "--gate", *ground.loads)

    assert result.exit_code == 0, result.stderr
    assert "gate  nothing is served yet" in result.stdout


def test_a_slower_candidate_is_refused_with_figures_and_nothing_visible_changes(ground: Ground):
    ground.publish("gated", 1, *ground.loads)
    before = ground.visible

    refused = ground.publish("gated", 2, "--gate-latency", "0.0001", *ground.loads, "--json")
    assert ground.visible == before
    assert ground.answering("gated") == [1, 1]
    assert ground.ready == [200, 200]
    taken = ground.publish("gated", 2, "--gate-latency", "10000", *ground.loads, "--json")

    told = document(refused)
    assert refused.exit_code == 1
    assert "the gate says no" in told["error"]["message"]
    assert "times, more than the allowed 0.0001" in told["error"]["message"]
    figures = told["rollout"]["gate"]["latencies"]
    assert [figure["server"] for figure in figures] == list(ground.addresses)
    assert all(figure["ratio"] == figure["candidate_p50_us"] / figure["served_p50_us"] for figure in figures)
    assert {figure["requests"] for figure in figures} == {300}
    assert taken.exit_code == 0, taken.stderr
    assert document(taken)["rollout"]["gate"]["passed"]
    assert document(taken)["rollout"]["gate"]["against"] == 1
    assert ground.answering("gated") == [2, 2]


def test_without_servers_parity_alone_is_compared(ground: Ground):
    ground.publish("unproven", 1)
    before = ground.visible
    evidence = ground.models / "version2" / "tritonbuild" / "evidence.parquet"
    content = evidence.read_bytes()
    evidence.unlink()

    try:
        refused = ground.publish("unproven", 2, "--gate", "--unproven", "--json")
        assert refused.exit_code == 1
        assert document(refused)["rollout"]["gate"]["worse"] == ["it is unproven; what is served was proven on 4 rows."]
        assert ground.visible == before
    finally:
        evidence.write_bytes(content)
    taken = ground.publish("unproven", 2, "--gate")

    assert taken.exit_code == 0, taken.stderr
    assert "gate  as equal to Spark as version 1" in taken.stdout


def proof(word: str = "bit", near: int = 0, undecided: int = 0, values: int = 100, output: str = "p") -> dict:
    figures = {"word": word, "values": values, "near": near, "undecided": undecided, "largest_difference": 0.0}
    return {"proof": {"parity": {"rows": values, "outputs": {output: figures}}}}


@pytest.mark.parametrize(
    ("served", "candidate", "said"),
    [
        (proof(), proof("dot"), "by the word dot"),
        (proof("dot"), proof(), None),
        (proof("dot", near=1), proof("dot", near=2), "2.00% of the values are near"),
        (proof("dot", near=1), proof("dot", near=1, values=200), None),
        (proof(undecided=0), proof(undecided=1), "1.00% of the values are undecided"),
        (proof(), proof(output="q"), "no output p"),
        ({"proof": "unproven"}, proof("iterative", near=9), None),
        (proof(), {"proof": "unproven"}, "unproven"),
        ({"proof": "unproven"}, {"proof": "unproven"}, None),
    ],
)
def test_what_is_worse_is_told_by_output(served, candidate, said):
    found = worse(served, candidate)

    assert len(found) == (said is not None)
    assert said is None or said in found[0]
