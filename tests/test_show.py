"""How readings print for people: tables that fit, numbers without noise."""

from __future__ import annotations

from typing import Any

import pytest

from gpuledger.catalogue.host import HostSample, MissingValue, SourceRun
from gpuledger.catalogue.work import Gpu, GpuLink
from gpuledger.cli import show
from gpuledger.schema import Row


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    def lines(*rows: Row) -> list[str]:
        show.rows_by_table(rows)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return lines


def gpu(slot: int, **more: Any) -> Gpu:
    return Gpu(slot=slot, uuid=f"GPU-{slot:032}", memory_bytes=None, **more)


def link(slot: int, peer: int, nvlinks: int) -> GpuLink:
    return GpuLink(slot=slot, peer=str(peer), path="nvlink", nvlinks=nvlinks)


def missing(subject: str, reading: str = "power_watts", detail: str = "") -> MissingValue:
    return MissingValue(
        source="nvml", subject=subject, reading=reading, reason="denied", detail=detail
    )


def ran(source: str, reason: str = "") -> SourceRun:
    return SourceRun(
        source=source,
        runs=1,
        failures=int(bool(reason)),
        rows=3,
        duration_seconds=0.0000526,
        reason=reason,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1755000000.0, "1,755,000,000"),
        (12070.880000000001, "12,071"),
        (9999.9, "10,000"),
        (136850, "136,850"),
        (1755, "1,755"),
        (0.98765432, "0.9877"),
        (0.0000526, "0.000053"),
        (1e-9, "0"),
        (0, "0"),
    ],
)
def test_a_number_has_no_noise_and_no_exponent(printed: Any, value: float, text: str) -> None:
    lines = printed(HostSample.known(node="n", load1=value))
    assert lines[2].split() == ["load1", text]


def test_facts_that_fit_have_a_line_each(printed: Any) -> None:
    title, head, *lines = printed(gpu(0, model="H100"), gpu(1, model="H100"))
    assert title == "gpus"
    assert head.split()[:3] == ["slot", "uuid", "model"]
    assert [line.split()[0] for line in lines if line] == ["0", "1"]


def test_facts_too_wide_for_a_line_are_printed_devices_abreast(printed: Any) -> None:
    wide = {"model": "NVIDIA H100 80GB HBM3", "serial": "1" * 20, "vbios": "96.00.68.00.01"}
    lines = printed(*(gpu(slot, **wide) for slot in range(6)))
    models = [line for line in lines if line.startswith("model")]
    assert [line.count("NVIDIA H100 80GB HBM3") for line in models] == [4, 2]
    assert max(map(len, lines)) <= show.FILE_WIDTH


def test_a_title_is_wider_than_what_is_below_it(printed: Any) -> None:
    assert printed(HostSample.known(node="n", load1=0))[0] == "host_samples"


def test_pairs_without_nvlinks_are_counted_and_not_listed(printed: Any) -> None:
    lines = printed(link(0, 1, 18), link(0, 2, 0), link(0, 3, 0))
    assert [line.split() for line in lines[2:4]] == [
        ["0", "1", "nvlink", "18"],
        ["gpu_links:", "2", "without", "NVLinks"],
    ]
    assert printed(link(0, 1, 0)) == ["gpu_links: 1 without NVLinks", ""]


def test_values_missing_for_the_same_reason_are_one_line(printed: Any) -> None:
    lines = printed(*(missing(f"GPU {i}") for i in range(8)), missing("GPU 0", detail="other"))
    assert lines[2:4] == [
        "nvml    power_watts  denied  –       8: GPU 0, …",
        "nvml    power_watts  denied  other   GPU 0",
    ]


def test_each_source_has_a_line_and_its_reason_is_last(printed: Any) -> None:
    long = "no " + " ".join(["word"] * 40)
    title, head, *lines = printed(ran("host"), ran("nvml", long))
    assert title == "source_runs"
    assert head.split() == ["source", "runs", "failures", "rows", "duration_seconds", "reason"]
    assert lines[0].split() == ["host", "1", "0", "3", "0.000053", "–"]
    assert lines[1].startswith("nvml")
    assert " ".join(" ".join(lines[1:]).split()).endswith("word word")


def test_advice_without_a_command_ends_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    advice = {
        "recommendation_id": "0" * 16,
        "title": "Ask for one 3g slice",
        "because": "it fits",
        "command": None,
        "team": "bio",
        "gain_gpu_hours": 6.0,
        "gain_capacity_value": None,
        "currency": "",
        "horizon_seconds": 86_400,
    }
    show.recommendations_table([advice])
    assert [line.strip() for line in capsys.readouterr().out.splitlines()][-1] == "it fits"


def test_a_note_of_commands_is_told_once_in_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    advice = {
        "recommendation_id": "0" * 16,
        "title": "End it",
        "because": "it idles",
        "command": "scancel 2",
        "undo": "# batch jobs alone\nscontrol requeue 2",
        "team": "bio",
        "gain_gpu_hours": 60.0,
        "gain_capacity_value": None,
        "currency": "",
        "horizon_seconds": 86_400,
    }
    show.recommendations_table([advice, advice])
    told = capsys.readouterr().out
    assert (told.count("batch jobs alone"), told.count("scontrol requeue 2")) == (1, 2)


def test_advice_tells_how_to_take_it_back_and_what_it_adds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    advice = {
        "recommendation_id": "0" * 16,
        "title": "End it",
        "because": "it idles",
        "command": "scancel 2",
        "undo": "scontrol requeue 2",
        "team": "bio",
        "gain_gpu_hours": 60.0,
        "net_gain_gpu_hours": 20.0,
        "gain_capacity_value": None,
        "currency": "",
        "horizon_seconds": 86_400,
    }
    wide = {**advice, "gain_low_gpu_hours": 0.0, "gain_high_gpu_hours": 1344.0}
    show.recommendations_table([advice, {**advice, "gain_gpu_hours": None}, wide])
    told = capsys.readouterr().out
    assert told.count("0 to 1,344") == 1
    assert "undo: scontrol requeue 2" in told
    assert "20 beyond the above" in told
