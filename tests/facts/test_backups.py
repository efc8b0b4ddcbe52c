"""Where backups go is read out of the lines that start them, and no password leaves them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tasks.facts import backups
from tasks.facts.backups import Backups, Target


def line(text: str) -> str:
    return f"line\t/etc/cron.d/backup\t{text}\n"


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("0 3 * * * root restic -r s3:https://key:pw@objects.example/shop backup /srv", ["objects.example"]),
        (
            "0 3 * * * root restic -r s3:s3.eu-north-1.amazonaws.com/shop backup /srv",
            ["s3.eu-north-1.amazonaws.com"],
        ),
        ("0 3 * * * root restic -r sftp:backup@10.60.0.12:/srv/restic backup /srv", ["10.60.0.12"]),
        ("0 3 * * * root restic -r rest:https://u:hunter2@rest.example:8000/ backup /", ["rest.example"]),
        ("0 3 * * * root restic -r b2:shop:/ backup /srv", ["api.backblazeb2.com"]),
        ("0 3 * * * root restic -r /srv/restic backup /etc", []),
        (
            "ExecStart=/usr/bin/borg create ssh://borg@vault.example:2222/./shop::{now} /srv",
            ["vault.example"],
        ),
        ("0 4 * * * root borg create borg@vault.example:shop::{now} /srv", ["vault.example"]),
        ("0 4 * * * root duplicity /srv scp://b@vault.example//shop", ["vault.example"]),
        ("0 4 * * * root duplicity /srv gs://shop-backup", ["storage.googleapis.com"]),
        (
            "mysqldump -ushop -phunter2 shop | gzip | ssh -p 22 backup@vault.example 'cat > x'",
            ["vault.example"],
        ),
        ("mysqldump -h 10.60.0.11 shop > /srv/dump.sql", []),
        ("rsync -a /srv/ backup@vault.example:/srv/", ["vault.example"]),
        ("rsync -a /srv/ rsync://vault.example/srv", ["vault.example"]),
        ("rsync -a /srv/ /mnt/copy/", []),
        ("aws s3 cp /srv/dump.sql s3://shop-backup/", ["s3.amazonaws.com"]),
        ("aws --endpoint-url https://10.60.0.11:9000 s3 cp /srv/x s3://shop-backup/", ["10.60.0.11"]),
    ],
)
def test_the_destination_of_a_line(text: str, hosts: list[str]) -> None:
    found = backups.parse(line(text))
    assert [each.host for each in found.targets] == hosts
    assert found.unseen == ()
    assert "hunter2" not in str(found)


def test_a_program_that_runs_without_a_place_that_is_seen() -> None:
    found = backups.parse("program\trestic\n" + line("0 3 * * * root restic backup /srv"))
    assert found == Backups(("restic",), (), ("/etc/cron.d/backup",))
    setting = "setting\t/etc/default/restic\tRESTIC_REPOSITORY=s3:https://objects.example/shop\n"
    known = backups.parse(setting + line("0 3 * * * root restic backup /srv"))
    assert known == Backups((), (Target("objects.example", "/etc/default/restic"),), ())


@pytest.mark.parametrize(
    ("settings", "hosts", "unseen"),
    [
        (["[far]", "type = s3", "provider = AWS"], ["s3.amazonaws.com"], False),
        (["[far]", "type = s3", "endpoint = https://10.60.0.11:9000"], ["10.60.0.11"], False),
        (["[far]", "type = sftp", "host = vault.example"], ["vault.example"], False),
        (
            ["[far]", "type = crypt", "remote = drive:shop", "[drive]", "type = drive"],
            ["www.googleapis.com"],
            False,
        ),
        (["[far]", "type = crypt", "remote = /srv/copy"], [], False),
        (["[far]", "type = crypt", "remote = far:x"], [], True),
        (["[far]", "type = swift"], [], True),
    ],
)
def test_a_remote_of_rclone(settings: list[str], hosts: list[str], unseen: bool) -> None:
    config = "/root/.config/rclone/rclone.conf"
    text = "".join(f"rclone\t{config}\t{each}\n" for each in settings)
    found = backups.parse(text + line("0 3 * * * root rclone sync /srv far:shop"))
    assert sorted({each.host for each in found.targets}) == hosts
    assert bool(found.unseen) == unseen


def test_junk_is_refused_and_not_repeated() -> None:
    for text in ("hunter2\n", "line\thunter2\n"):
        with pytest.raises(ValueError, match="line 1 is neither") as refused:
            backups.parse(text)
        assert "hunter2" not in str(refused.value)
    assert backups.parse("") == Backups((), (), ())


def test_the_question_finds_a_script_that_a_crontab_starts(tmp_path: Path) -> None:
    """The real program, with the folder of crontabs elsewhere."""
    crons, scripts = tmp_path / "cron.d", tmp_path / "scripts"
    for folder in (crons, scripts):
        folder.mkdir()
    copies = "#!/bin/sh\n# rsync old@gone.example:\nrsync -a /srv/ backup@{}:/srv/\n"
    (scripts / "night.sh").write_text(copies.format("vault.example"))
    (scripts / "forgotten.sh").write_text(copies.format("never.example"))
    (crons / "night").write_text(f"# {scripts}/forgotten.sh\n0 3 * * * root {scripts}/night.sh\n")
    program = backups.command().render().replace("/etc/cron.d/", f"{crons}/")
    ran = subprocess.run(["sh", "-c", program], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    found = {each for each in backups.parse(ran.stdout).targets if each.file.startswith(str(tmp_path))}
    assert found == {Target("vault.example", str(scripts / "night.sh"))}
