"""What commands say of nodes where there can be only one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from publications import make_publication
from publisher.cli import main


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Commands set up logging for their process; here it must not outlive the test."""
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["worker"], "publisher: database.url: a worker shares a PostgreSQL with the service"),
        (["build", "--from-here"], "publisher: --from-here is for publications of several nodes"),
    ],
)
def test_what_takes_several_nodes_is_refused_on_sqlite(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    folder = make_publication(tmp_path / "wire")
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), *arguments])
    assert ended.value.code == 2
    assert said in capfd.readouterr().err


def test_postgresql_without_its_extra_is_refused_with_what_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLISHER_DATABASE__URL", "postgresql://news@127.0.0.1:1/news")
    monkeypatch.setattr("publisher.app.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(make_publication(tmp_path / "wire")), "status"])
    assert ended.value.code == 2
    assert "pip install 'publisher[postgres]'" in capfd.readouterr().err
