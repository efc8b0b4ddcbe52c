"""The services beside the cluster: what each node gets, and that plans are empty where nothing differs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from inventory.models.change import PutFile, PutProgram, Run
from inventory.models.secret import Secret
from inventory.models.site import Site
from tasks.facts.asked import Asked
from tasks.facts.files import FileFact
from tasks.facts.gather import Facts
from tasks.operations import haproxy, mariadb, objectstore, registry, units
from tasks.operations.files import Wanted
from tasks.operations.haproxy_config import EdgeDesign, Server, render_edge
from tasks.operations.preparation import LocalFile
from tests.operations import service_set as data_services
from tests.operations.places import site
from tests.operations.service_set import NodeServices, ServiceInputs, services_of

ADMIN, REPLICA, APP, S3 = "admin-word-1", "replica-word-1", "app-word-1", "s3-word-1"


def declared() -> Site:
    whole = site()
    pair = {"certificate_file": Path("/pki/x.crt"), "key_file": Path("/pki/x.key")}
    target = whole.target
    return whole.model_copy(
        update={
            "target": target.model_copy(
                update={
                    "database": target.database.model_copy(update=pair),
                    "registry": target.registry.model_copy(update=pair),
                    "bucket": target.bucket.model_copy(
                        update={**pair, "endpoint_url": "https://10.60.0.11:9000"}
                    ),
                }
            )
        }
    )


def inputs() -> ServiceInputs:
    files = {Path(name): name.encode() for name in ("/ca.crt", "/pki/x.crt", "/pki/x.key")}
    return ServiceInputs(
        files, Secret(ADMIN), Secret(REPLICA), Secret(APP), "AKIA1", Secret(S3),
        LocalFile("/programs/versitygw", "0" * 64), 7,
    )  # fmt: skip


def of(number: int = 0) -> NodeServices:
    whole = declared()
    return services_of(whole, whole.target.nodes[number], inputs())


def content(service: units.Service, path: str) -> str:
    (found,) = [file for file in service.wanted if file.path == path]
    return found.content.decode()


def test_the_first_node_gets_all_by_its_roles_and_a_worker_nothing() -> None:
    assert [service.unit for service in of().services] == [
        mariadb.UNIT,
        registry.UNIT,
        objectstore.UNIT,
        haproxy.UNIT,
    ]
    assert of(1).services == ()
    assert data_services.asked(of(1)) == ()


def test_keys_and_passwords_are_roots_alone_and_never_shown() -> None:
    wanted = of()
    for service in wanted.services:
        for file in service.files:
            secret = file.path.endswith(("key", "credentials"))
            assert (file.mode == 0o600) == secret, file.path
    for word in (ADMIN, REPLICA, APP, S3):
        assert word not in repr(wanted)
        assert word not in repr(inputs())


def answers(wanted: NodeServices, *, there: bool, accounts: str = "") -> Facts:
    """What a node says on which everything is as wanted, or nothing is."""
    given: dict[str, str] = {}
    for service in wanted.services:
        for question in units.asked(service):
            given[question.command.render()] = _answer(question, service, there)
    if wanted.store:
        program = FileFact(
            objectstore.PROGRAM, there, wanted.store.sha256 if there else "", 0o755 if there else 0
        )
        given[objectstore.ask_program().command.render()] = _line(program)
    if wanted.accounts:
        given[mariadb.ask_accounts().command.render()] = accounts
    return Facts(wanted.host, given)


def _answer(question: Asked[Any], service: units.Service, there: bool) -> str:
    if question.subject == "systemd units":
        state = ("loaded", "active", "running", "enabled") if there else ("not-found", "inactive", "dead", "")
        return (
            f"Id={service.unit}\nLoadState={state[0]}\nActiveState={state[1]}\nSubState={state[2]}\n"
            f"UnitFileState={state[3]}\nNeedDaemonReload=no\nNRestarts=0\n"
        )
    return "".join(
        _line(FileFact(file.path, there, file.sha256 if there else "", file.mode if there else 0))
        for file in (*service.wanted, service.stamp)
    )


def _line(fact: FileFact) -> str:
    if not fact.exists:
        return f"{fact.path}\tmissing\t\t\n"
    return f"{fact.path}\tfile\t{fact.sha256}\t{fact.mode:o}\n"


def rows(wanted: NodeServices, **over: str) -> str:
    return "".join(
        f"{account.user}\t{over.get('tls', 'ANY')}\t{over.get('auth', account.authentication)}\n"
        for account in wanted.accounts
    )


def test_a_node_as_wanted_has_no_change() -> None:
    wanted = of()
    assert data_services.plan(answers(wanted, there=True, accounts=rows(wanted)), wanted) == []


def test_a_bare_node_gets_everything_in_order() -> None:
    wanted = of()
    changes = data_services.plan(answers(wanted, there=False), wanted)
    subjects = [change.subject for change in changes]
    assert isinstance(changes[0].apply[0], PutProgram)
    assert subjects.index("service mariadb.service") < subjects.index("MariaDB account admin")
    assert sum(subject.startswith("service ") for subject in subjects) == 4
    assert sum(subject.startswith("MariaDB account ") for subject in subjects) == 3
    for change in changes:
        for word in (ADMIN, REPLICA, APP, S3):
            assert word not in str(change)
            assert word not in repr(change)
        for action in change.apply:
            assert isinstance(action, (PutFile, PutProgram, Run))


@pytest.mark.parametrize(
    ("over", "before"),
    [({"tls": ""}, "no TLS required"), ({"auth": "*00"}, "TLS required, another password")],
)
def test_an_account_that_differs_is_changed(over: dict[str, str], before: str) -> None:
    wanted = of()
    changes = data_services.plan(answers(wanted, there=True, accounts=rows(wanted, **over)), wanted)
    assert [change.subject for change in changes] == [f"MariaDB account {a.user}" for a in wanted.accounts]
    assert {change.before for change in changes} == {before}
    (run,) = changes[0].apply
    assert isinstance(run, Run)
    assert b"sql_log_bin = 0" in run.stdin
    assert b"REQUIRE SSL" in run.stdin
    assert ADMIN not in str(run.command)


def test_the_stored_form_of_a_password_is_mariadbs() -> None:
    # SELECT PASSWORD('password') of any MariaDB.
    account = mariadb.Account("x", Secret("password"), ())
    assert account.authentication == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


def test_words_in_sql_are_quoted() -> None:
    account = mariadb.Account("o'brien", Secret("a'b\\c"), ("SELECT ON *.*",))
    (change,) = mariadb.plan_accounts(
        "h", Facts("h", {mariadb.ask_accounts().command.render(): ""}), (account,)
    )
    (run,) = change.apply
    assert isinstance(run, Run)
    assert b"ALTER USER 'o''brien'@'%' IDENTIFIED BY 'a''b\\\\c' REQUIRE SSL;" in run.stdin
    with pytest.raises(ValueError, match="line break"):
        mariadb.plan_accounts(
            "h", Facts("h", {mariadb.ask_accounts().command.render(): ""}),
            (mariadb.Account("x", Secret("a\nDROP"), ()),),
        )  # fmt: skip


def test_the_database_follows_only_what_moves_and_speaks_only_tls() -> None:
    config = content(of().services[0], mariadb.CONFIG)
    for line in (
        "bind-address = 10.60.0.11",
        "server-id = 2",
        "gtid-domain-id = 7",
        "replicate-wild-do-table = shop.%",
        "ssl-ca = /etc/mysql/safe-harbor/ca.crt",
        "log-slave-updates = 1",
    ):
        assert line in config


@pytest.mark.skipif(shutil.which("mariadbd") is None, reason="mariadb-server is not installed")
def test_mariadb_takes_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "my.cnf"
    config.write_text(content(of().services[0], mariadb.CONFIG))
    done = subprocess.run(
        ["mariadbd", f"--defaults-file={config}", "--help", "--verbose"], capture_output=True, text=True
    )
    assert "unknown variable" not in done.stderr
    assert "ERROR" not in done.stderr
    assert "replicate-wild-do-table" in done.stdout


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
@pytest.mark.parametrize("home", ["source", "target"])
def test_haproxy_takes_the_configuration(tmp_path: Path, home: str) -> None:
    files = render_edge(
        EdgeDesign(
            "edge", "127.0.0.1:8080", (Server("a", "10.0.0.1", 80), Server("b", "10.0.0.2", 80)),
            (Server("a", "10.1.0.1", 80),), home, str(tmp_path / "admin.sock"), str(tmp_path),
            log="127.0.0.1:514",
        )
    )  # fmt: skip
    (tmp_path / "haproxy.cfg").write_text(files.config)
    (tmp_path / haproxy.LUA_NAME).write_text(files.lua)
    (tmp_path / haproxy.MAP_NAME).write_text(files.shift_map)
    done = subprocess.run(
        ["haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_the_edge_in_oslo_serves_the_target_from_the_start() -> None:
    config = content(of().services[3], haproxy.CONFIG)
    assert "server oslo-2 10.60.0.12:30080 check" in config
    assert "server source-edge 10.60.0.11:80" in config
    assert content(of().services[3], f"{haproxy.FOLDER}/{haproxy.MAP_NAME}") == "share 100\nhold 0\n"


SERVERS = (Server("a", "10.0.0.1", 80),)
GOOD: dict[str, Any] = {
    "name": "edge", "bind": "1.2.3.4:80", "source": SERVERS, "target": SERVERS, "home": "source",
    "runtime": "/run/x.sock", "folder": "/etc/x",
}  # fmt: skip


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"home": "oslo"}, "allowed: source, target"),
        ({"share_percent": 101}, "between 0 and 100"),
        ({"hold_max_s": 60}, "between 1 and 55"),
        ({"target": ()}, "no server for target"),
        ({"source": SERVERS * 2}, "same name"),
        ({"source": (Server("a b", "10.0.0.1", 80),)}, "not a name"),
        ({"source": (Server("a", "10.0.0.1\n", 80),)}, "not an address"),
        ({"bind": "1.2.3.4:80\n    user root"}, "not an address"),
    ],
)
def test_an_edge_that_cannot_be_is_refused(over: dict[str, Any], message: str) -> None:
    EdgeDesign(**GOOD)
    with pytest.raises(ValueError, match=message):
        EdgeDesign(**{**GOOD, **over})


def test_an_edge_on_a_node_has_its_files_where_its_unit_looks() -> None:
    with pytest.raises(ValueError, match="its files in"):
        haproxy.service(EdgeDesign(**GOOD))


def test_a_key_that_no_environment_file_takes_is_refused() -> None:
    store = of().store
    assert store is not None
    broken = objectstore.ObjectStoreDesign(**{**store.__dict__, "secret_key": Secret("a\nb")})
    with pytest.raises(ValueError, match="character"):
        objectstore.service(broken)


def test_a_stamp_changes_with_a_new_program() -> None:
    store = of().store
    assert store is not None
    newer = objectstore.ObjectStoreDesign(**{**store.__dict__, "sha256": "1" * 64})
    stamps: list[Wanted] = [objectstore.service(one).stamp for one in (store, newer)]
    assert stamps[0].content != stamps[1].content
