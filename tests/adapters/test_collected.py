"""What the data collector wrote: found by the hour, read from its end, and never half a line."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rollout.adapters import collected
from rollout.adapters.azure.collected_blobs import CollectedBlobs
from rollout.adapters.collected import CollectedAnswers, Folder, Place
from rollout.errors import Refused
from rollout.pair_ports import ServedRead
from tests.adapters.recorded import CHURN

if TYPE_CHECKING:
    from pathlib import Path

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = "churn/blue/response/2026/01/01/12/one.jsonl"

Write = Callable[[str, bytes], None]


def in_folder(use: pytest.FixtureRequest) -> tuple[Place, Write]:
    root: Path = use.getfixturevalue("tmp_path")

    def write(name: str, content: bytes) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    return Folder(root), write


def in_container(use: pytest.FixtureRequest) -> tuple[Place, Write]:
    from azure.storage.blob import BlobServiceClient  # noqa: PLC0415

    service = BlobServiceClient.from_connection_string(use.getfixturevalue("connection"))
    use.addfinalizer(service.close)
    container = service.create_container("collected")

    def write(name: str, content: bytes) -> None:
        container.upload_blob(f"mdc/{name}", content, overwrite=True)

    return CollectedBlobs(container, "/mdc/"), write


PLACES = {"folder": in_folder, "container": in_container}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> tuple[Place, Write]:
    return PLACES[request.param](request)


def line(second: int = 30, id_: str = "r1", data: object = None, **more: Any) -> dict[str, Any]:
    return {
        "time": (NOON + timedelta(seconds=second)).isoformat().replace("+00:00", "Z"),
        "data": {"label": 3} if data is None else data,
        "correlationid": id_,
        "xrequestid": id_,
        "contentrange": "bytes 0-11/12",
        **more,
    }


def content(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


def read(place: Place, since: datetime = NOON, until: datetime = NOON + 60 * MINUTE) -> ServedRead:
    return CollectedAnswers(place, MINUTE).read(CHURN, "blue", "response", since, until)


def ids(found: ServedRead) -> list[str]:
    return ["".join(sorted(one.ids)) for one in found.served]


def test_a_line_is_an_answer_with_its_ids(place: tuple[Place, Write]) -> None:
    place[1](HOUR, content(line(data=[{"0": 1}], xrequestid="x1")))

    (one,) = read(place[0]).served

    assert one.at == NOON + timedelta(seconds=30)
    assert one.ids == {"r1", "x1"}
    assert (one.answer.status, one.answer.body) == (200, b'[{"0":1}]')


def test_only_the_deployment_the_collection_and_the_time_that_are_asked_for(
    place: tuple[Place, Write],
) -> None:
    place[1](HOUR, content(line(-1, "early"), line(0, "a"), line(3599, "b"), line(3600, "late")))
    for other in ("green/response", "blue/request", "blue2/response"):
        place[1](f"churn/{other}/2026/01/01/12/one.jsonl", content(line(id_="other")))
    place[1]("churn/blue/response/2026/01/01/11/one.jsonl", content(line(20, "written late")))
    place[1]("churn/blue/response/2026/01/01/09/one.jsonl", content(line(20, "old hour")))
    place[1]("churn/blue/response/2026/01/01/12/readme.txt", content(line(id_="no")))

    assert ids(read(place[0])) == ["a", "written late", "b"]
    assert ids(read(place[0], NOON - MINUTE)) == ["early", "a", "written late", "b"]


@pytest.mark.parametrize("rolled", ["2026/01/01", "2026/01/01/12", "2026/01/01/12/00"])
def test_files_by_the_day_the_hour_and_the_minute(place: tuple[Place, Write], rolled: str) -> None:
    place[1](f"churn/blue/response/{rolled}/one.jsonl", content(line()))

    assert ids(read(place[0])) == ["r1"]


def test_a_rollout_over_midnight_reads_both_days(place: tuple[Place, Write]) -> None:
    for day, second in (("01/01/23", 12 * 3600 - 1), ("01/02/00", 12 * 3600)):
        place[1](f"churn/blue/response/2026/{day}/one.jsonl", content(line(second, day)))

    found = read(place[0], NOON, NOON + timedelta(hours=13))

    assert ids(found) == ["01/01/23", "01/02/00"]


@pytest.mark.parametrize(
    "spoilt",
    [
        line(datainblob="true"),
        line(contentrange="bytes 0-11/99"),
        line(contentrange="bytes 5-11/12"),
        {"time": "soon", "data": 1},
        {"data": 1},
        line() | {"data": None},
    ],
)
def test_what_is_not_the_whole_answer_is_left_out(
    place: tuple[Place, Write], spoilt: dict[str, Any]
) -> None:
    half = json.dumps(line(id_="half")).encode()[:-20]
    place[1](HOUR, content(spoilt, line(id_="good")) + b"no json\n[1]\n" + half)

    assert ids(read(place[0])) == ["good"]


def test_of_too_much_the_latest_is_read_and_said_since_when(
    place: tuple[Place, Write], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [line(second, f"r{second:04}") for second in range(600)]
    monkeypatch.setattr(collected, "BYTES_MAX", len(content(*records)) // 3)
    place[1](HOUR, content(*records))

    found = read(place[0])

    assert 150 < len(found.served) < 220
    assert ids(found)[-1] == "r0599"
    assert found.since == found.served[0].at > NOON


def test_nothing_there_is_nothing_read(place: tuple[Place, Write]) -> None:
    assert read(place[0]) == ServedRead([], NOON)


def test_a_container_that_is_not_there_is_named(connection: str) -> None:
    from azure.storage.blob import BlobServiceClient  # noqa: PLC0415

    with (
        BlobServiceClient.from_connection_string(connection) as service,
        pytest.raises(Refused, match="container nowhere: there is no such container"),
    ):
        read(CollectedBlobs(service.get_container_client("nowhere")))


def test_an_address_names_the_container_and_the_path() -> None:
    place = CollectedBlobs.at("https://acc.blob.core.windows.net/azureml-blobstore-1/mdc/x", None)  # type: ignore[arg-type]

    assert str(place._asked) == "storage account acc, container azureml-blobstore-1"
    assert place._below == "mdc/x/"
