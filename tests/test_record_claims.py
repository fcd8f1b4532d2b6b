"""The sentences and tables that the recorded page makes of claims.json."""

from stages.pages import record_claims


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.25, "high": value + 0.25}


def parts(total: float, batch: float, mean: float, real: float) -> dict[str, dict[str, float]]:
    names = ("total", "batch_statistics", "running_mean", "real")
    return {name: estimate(value) for name, value in zip(names, (total, batch, mean, real), strict=True)}


def page_of(loss: dict[str, dict[str, float]]) -> str:
    claims = {"dip_parts": {"pets": {"loss": loss}}}
    return "\n".join(record_claims.parts_of_the_dip(claims, {"pets": "Cats and dogs"}))


def test_the_dip_s_largest_part_is_named():
    page = page_of(parts(0.5, 0.75, -0.125, -0.125))
    assert (
        "| Cats and dogs | loss | +0.500 (+0.250 to +0.750) | +0.750 (+0.500 to +1.000) | -0.125 (-0.375 to +0.125) "
        "| -0.125 (-0.375 to +0.125) |" in page
    )
    assert (
        "- Cats and dogs: training loss rises by 0.500. The largest part of it is batch statistics, +0.750. "
        "Of the network itself, the loss on the same images falls by 0.125." in page
    )


def test_a_part_against_the_whole_is_said_to_be_so():
    page = page_of(parts(-0.25, 0.5, -1.0, 0.25))
    assert "training loss falls by 0.250. The largest part of it is the mean over a changing network, -1.000. " in page
    assert "the loss on the same images rises by 0.250." in page
    page = page_of(parts(0.0, 0.5, -0.5, 0.0))
    assert "training loss changes by less than 0.001. " in page
    assert "batch statistics, +0.500, against the direction of the whole. " in page
    assert "the loss on the same images changes by less than 0.001." in page


def test_what_was_not_measured_has_no_section():
    assert record_claims.parts_of_the_dip({"dip_parts": {}}, {}) == []
    assert record_claims.styles({"styles": {}}) == []


def test_styles_stand_beside_their_plain_schedules():
    told = {"style": "gradual", "plain": "pets-2-1", "verdict": "cannot tell", **estimate(0.5)}
    page = "\n".join(record_claims.styles({"styles": {"pets-2-1-gradual": told}}))
    assert "| pets-2-1-gradual | gradual | pets-2-1 | +0.500 (+0.250 to +0.750) | cannot tell |" in page
