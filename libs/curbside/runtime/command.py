"""The `curbside` command. Heavy imports live inside the functions, so `curbside --help` is instant."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from curbside.runtime.client import Api
    from curbside.settings import RuntimeSettings

app = typer.Typer(
    name="curbside",
    help="A private second opinion for hospitals. It assists clinical judgement; it does not replace it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # Rich's half of Typer takes 0.3 s to import: `--help` is to be instant
    pretty_exceptions_enable=False,  # a rich traceback prints local variables: patient text
)


def _group(name: str, says: str) -> typer.Typer:
    group = typer.Typer(name=name, help=says, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group)
    return group


deid_app = _group("deid", "Measure de-identification on your own reports.")
datasets_app = _group("datasets", "Build and look at dataset versions.")
models_app = _group("models", "Look at, promote and roll back model versions.")
audit_app = _group("audit", "The audit chains.")
token_app = _group("token", "Bearer tokens.")
bus_app = _group("bus", "The event log and its dead letters.")

Data = Annotated[
    Optional[Path],  # noqa: UP045  (Typer reads this at run time)
    typer.Option("--data", help="The data directory; default .curbside or CURBSIDE_RUNTIME__DATA_DIR."),
]
Url = Annotated[Optional[str], typer.Option("--url", help="An installation elsewhere.")]  # noqa: UP045
TokenFile = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--token-file", help="A file with a bearer token; default the administrator's."),
]
Full = Annotated[bool, typer.Option("--full", help="On Kafka, PostgreSQL and S3, each service by itself.")]
ProcessFile = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--processes", help="With --full: what runs where; default deploy/local/processes.yaml."),
]
# Others read nothing of what the services write. The group reads: in a cluster text-generation-inference is
# another user of the same group, and reads the adapters. On one machine the data directory keeps it out.
_UMASK = 0o027
Workers = Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")]


@app.callback()
def _begin() -> None:
    os.umask(_UMASK)


def main() -> None:
    """Run the command; an error for the operator is one sentence and status 2, any other status 1."""
    from curbside.errors import CurbsideError, OperatorError, StorageFull

    try:
        app()
    except CurbsideError as error:
        print(f"curbside: {error.sentence}", file=sys.stderr)
        # A disk that is full at the start stays full until somebody frees space on it.
        raise SystemExit(2 if isinstance(error, OperatorError | StorageFull) else 1) from None
    except OSError as error:
        said = _operator_sentence(error)
        if said is None:
            raise
        print(f"curbside: {said}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _operator_sentence(error: OSError) -> str | None:
    """What an operator can mend about `error`: a full disk, or a place that this user cannot write."""
    import errno

    from curbside.storage.directories import FULL_DISK

    place = f"{str(error.filename)!r}" if error.filename is not None else None
    if error.errno in FULL_DISK:
        return f"the disk is full{f' ({place} could not be written)' if place else ''}: free space on it."
    if place and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return (
            f"{place} cannot be used ({error.strerror}): give this user the right to it, or name another "
            "data directory with --data or CURBSIDE_RUNTIME__DATA_DIR."
        )
    return None


def _settings(data: Path | None = None, **overrides: object) -> RuntimeSettings:
    from curbside.runtime.named import check_environment
    from curbside.settings import RuntimeSettings, load

    check_environment()
    return load(RuntimeSettings, data_dir=data, **overrides)


def _api(data: Path | None, url: str | None, token_file: Path | None) -> Api:
    from curbside.runtime.client import connect

    return connect(_settings(data), url=url, token_file=token_file)


@app.command()
def up(
    full: Full = False,
    processes: ProcessFile = None,
    data: Data = None,
) -> None:
    """Run every service on this machine, until Ctrl-C."""
    if full:
        from curbside.runtime.full import PROCESSES, run_up_full

        run_up_full(_settings(data), processes or PROCESSES)
        return
    from curbside.runtime.up import run_up

    run_up(_settings(data))


@app.command()
def serve(
    services: Annotated[
        list[str],
        typer.Argument(
            help="ingestion, deidentification, datasets, training, inference, workbench; "
            "or a child: engine, worker, driver."
        ),
    ],
    here: Annotated[bool, typer.Option(help="In this process, without the services' children.")] = False,
    socket: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The unix socket of a worker."),
    ] = None,
) -> None:
    """Run one service: what a pod runs."""
    from curbside.runtime.up import run_serve

    run_serve(services, _settings(), here=here, socket=socket)


@app.command()
def demo(
    reports: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--reports", help="A file or folder of reports, instead of generated ones."),
    ] = None,
    limit: Annotated[Optional[int], typer.Option(min=1, help="At most so many reports.")] = None,  # noqa: UP045
    exit: Annotated[bool, typer.Option("--exit", help="Stop the services at the end.")] = False,
    full: Full = False,
    processes: ProcessFile = None,
    data: Data = None,
) -> None:
    """The main job, start to finish: reports in, an opinion out."""
    from curbside.demo import run_demo
    from curbside.runtime.named import check_environment

    check_environment()
    options = ["--full"] if full else []
    if processes is not None:
        options += ["--processes", str(processes)]
    run_demo(reports=reports, limit=limit, stop_after=exit, data=data, up_options=options)


@app.command()
def doctor(data: Data = None) -> None:
    """Check this machine: memory, disk, ports, dependencies, GPU."""
    from curbside.runtime.doctor import examine

    raise typer.Exit(0 if examine(_settings(data)) else 1)


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of reports.")],
    limit: Annotated[Optional[int], typer.Option(min=1, help="At most so many reports.")] = None,  # noqa: UP045
    source: Annotated[str, typer.Option(help="The name of the system they come from.")] = "files",
    column: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            help='Which columns of tables are a field, e.g. text="Note Text", known.names=Surname,Forename; '
            "by number where they have no headers. Fields not named here are found by their headers."
        ),
    ] = None,
    data: Data = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Send files or folders of reports, of any format, to ingestion; what is there already is passed over."""
    from curbside.runtime.ingesting import ingest_paths

    memory = _settings(data).cache / "uploads"
    api = _api(data, url, token_file)
    whole = ingest_paths(api, paths, limit=limit, source=source, memory=memory, columns=column or ())
    raise typer.Exit(0 if whole else 1)


@app.command()
def consent(
    decision: Annotated[str, typer.Argument(help="deny or permit.")],
    patients: Annotated[
        Path, typer.Argument(help="A file of patients' ids, one a line; - reads them from standard input.")
    ] = Path("-"),
    effective: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="When they said so: RFC 3339 with its offset, or a day. Default now."),
    ] = None,
    until: Annotated[Optional[str], typer.Option(help="Until when; else until they say another.")] = None,  # noqa: UP045
    source: Annotated[str, typer.Option(help="The name of the system that it comes from.")] = "console",
    reference: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="The number of the form, by which it can be taken back as entered in error."),
    ] = None,
    data: Data = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Record that patients deny or permit training on their reports, and say what holds now."""
    from curbside.runtime.consents import say_consents

    whole = say_consents(
        _api(data, url, token_file),
        decision,
        patients,
        effective=effective,
        until=until,
        source=source,
        reference=reference,
    )
    raise typer.Exit(0 if whole else 1)


@app.command()
def deidentify(
    source: Annotated[Path, typer.Argument(help="JSON lines with id, text and optionally known.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the result goes.")],
    workers: Workers = 2,
) -> None:
    """De-identify a file on this machine, without a server.

    What is found becomes placeholders ([NAME], [DATE]). CURBSIDE_DEIDENTIFICATION__REPLACEMENT and
    __REPLACEMENT_BY_TENANT are of the service alone, which keeps a patient's keys and tables.
    """
    from curbside.runtime.batches import deidentify_batch

    deidentify_batch(source, output, workers, _settings())


@deid_app.command("sample")
def deid_sample(
    source: Annotated[Path, typer.Argument(help="What `curbside deidentify` wrote.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the sample goes.")],
    count: Annotated[int, typer.Option(min=1, help="Documents to draw.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed draws the same sample.")] = 1,
    originals: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="What went into `curbside deidentify`: the sample then holds PHI."),
    ] = None,
) -> None:
    """Draw de-identified documents at random, for an expert to mark what was missed.

    They show placeholders, whichever policy the service replaces by: what is found is the same.
    """
    from curbside.runtime.batches import sample_batch

    sample_batch(source, output, count, seed, originals)


@deid_app.command("recall")
def deid_recall(
    sample: Annotated[Path, typer.Argument(help="The sample of `curbside deid sample`, reviewed.")],
) -> None:
    """Count a reviewed sample: recall by category with its exact 95 % interval.

    It is of what is found, whichever policy the service replaces it by.
    """
    from curbside.runtime.batches import recall_of_sample

    recall_of_sample(sample)


@deid_app.command("regress")
def deid_regress(
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("-o", "--output", help="Where the counts of each report go: ids, and no text."),
    ] = None,
    since: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="An earlier run's output to hold this one against, instead of the review."),
    ] = None,
    data: Data = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Replay the reports that reviewers finished: recall by category, and which got worse (status 1)."""
    from curbside.runtime.regression import regress

    raise typer.Exit(0 if regress(_api(data, url, token_file), output, since) else 1)


@app.command()
def segment(
    source: Annotated[Path, typer.Argument(help="JSON lines with id and text.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the result goes.")],
) -> None:
    """Clean, standardise and segment a file on this machine, without a server."""
    from curbside.runtime.batches import segment_batch

    segment_batch(source, output)


@datasets_app.command("build")
def datasets_build(
    name: Annotated[str, typer.Option(help="What the dataset is called.")] = "reports",
    legal_basis: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="safe_harbor or expert_determination, where reports rest on both."),
    ] = None,
    data: Data = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Build a dataset version from everything that is de-identified, and wait for it."""
    from curbside.runtime.reading import build_dataset

    recipe = {"legal_basis": legal_basis} if legal_basis else {}
    build_dataset(_api(data, url, token_file), name, recipe)


@datasets_app.command("list")
def datasets_list(data: Data = None, url: Url = None, token_file: TokenFile = None) -> None:
    """List dataset versions."""
    from curbside.runtime.reading import list_datasets

    list_datasets(_api(data, url, token_file))


@datasets_app.command("show")
def datasets_show(version: str, data: Data = None, url: Url = None, token_file: TokenFile = None) -> None:
    """Print a dataset version's manifest."""
    from curbside.runtime.reading import show

    show(_api(data, url, token_file), f"/datasets/v1/versions/{version}")


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe (YAML).")],
    dataset: Annotated[str, typer.Option(help="The dataset version to train on.")],
    data: Data = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Fine-tune on a dataset version, and wait for the run."""
    from curbside.runtime.reading import train_and_wait

    train_and_wait(_api(data, url, token_file), recipe, dataset)


@app.command()
def runs(
    run_id: Annotated[Optional[str], typer.Argument(help="One run in full.")] = None,  # noqa: UP045
    data: Data = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """List runs, or show one."""
    from curbside.runtime.reading import list_runs, show

    api = _api(data, url, token_file)
    if run_id is None:
        list_runs(api)
    else:
        show(api, f"/training/v1/runs/{run_id}")


@models_app.command("list")
def models_list(data: Data = None, url: Url = None, token_file: TokenFile = None) -> None:
    """List model versions and their figures."""
    from curbside.runtime.reading import list_models

    list_models(_api(data, url, token_file))


@models_app.command("promote")
def models_promote(version: str, data: Data = None, url: Url = None, token_file: TokenFile = None) -> None:
    """Promote a model version that passes its gates to production."""
    api = _api(data, url, token_file)
    api.post(f"/training/v1/models/{version}/promote", {"alias": "production"})
    print(f"{version} is promoted to production")


@models_app.command("rollback")
def models_rollback(data: Data = None, url: Url = None, token_file: TokenFile = None) -> None:
    """Go back to the model version that was promoted before."""
    from curbside.runtime.reading import print_json

    print_json(_api(data, url, token_file).post("/training/v1/models/rollback", {"alias": "production"}))


@app.command()
def ask(
    report: Annotated[Path, typer.Argument(help="A text file with the report.")],
    task: Annotated[str, typer.Option(help="summarize, diagnose, anomalies or compare.")] = "summarize",
    prior: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The prior report, for compare."),
    ] = None,
    data: Data = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Ask the model for an opinion on a report."""
    from curbside.runtime.reading import ask_opinion

    ask_opinion(_api(data, url, token_file), task, report, prior)


@audit_app.command("verify")
def audit_verify(data: Data = None) -> None:
    """Walk every audit chain of this data directory and name the first record that does not hold."""
    from curbside.runtime.upkeep import verify_audit

    raise typer.Exit(0 if verify_audit(_settings(data)) else 1)


@token_app.command("create")
def token_create(
    role: Annotated[list[str], typer.Option(help="A role; may be given more than once.")],
    name: Annotated[str, typer.Option(help="Who or what uses the token.")],
    days: Annotated[int, typer.Option(min=1, help="How long it is valid.")] = 90,
    data: Data = None,
) -> None:
    """Create a token and print it once; only its hash is kept."""
    from curbside.runtime.upkeep import create_token

    print(create_token(_settings(data), role, name, days))


@token_app.command("revoke")
def token_revoke(token_id: str, data: Data = None) -> None:
    """Revoke a token by its id (the part between the underscores)."""
    from curbside.runtime.upkeep import revoke_token

    revoke_token(_settings(data), token_id)


@bus_app.command("status")
def bus_status(data: Data = None) -> None:
    """Dead letters per topic."""
    from curbside.runtime.upkeep import bus_status as status

    status(_settings(data))


@bus_app.command("replay")
def bus_replay(
    topic: Annotated[str, typer.Argument(help="The topic whose dead letters are tried again.")],
    data: Data = None,
) -> None:
    """Publish a topic's dead letters again; what was already handled is not done twice."""
    from curbside.runtime.upkeep import replay

    print(f"{replay(_settings(data), topic)} dead letters of {topic} published again")


@bus_app.command("grow")
def bus_grow(
    topic: Annotated[str, typer.Argument(help="The topic of Kafka that gets more partitions.")],
    partitions: Annotated[
        Optional[int],  # noqa: UP045
        typer.Argument(min=1, help="How many it has then; without, an interrupted growth is undone."),
    ] = None,
    data: Data = None,
) -> None:
    """Add partitions to a topic, keeping every patient's order; events wait in the outboxes meanwhile."""
    from curbside.runtime.upkeep import grow_topic

    for line in grow_topic(_settings(data), topic, partitions):
        print(line)


@app.command()
def provision(data: Data = None) -> None:
    """Make what Kafka, PostgreSQL and S3 need: topics, roles, schemas, the bucket. Safe to run again."""
    from curbside.runtime.provision import provision as run

    run(_settings(data))


@app.command()
def migrate(
    source: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--from", help="Carry this data directory to PostgreSQL, S3 and Kafka."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="With --from: to the servers that up --full runs on this machine.")
    ] = False,
    processes: ProcessFile = None,
    data: Data = None,
) -> None:
    """Bring every service's database to this release's schema, or carry an installation elsewhere."""
    from curbside.errors import OperatorError

    if source is None:
        if full or processes:
            raise OperatorError("--full and --processes say where to carry to: name what with --from.")
        from curbside.runtime.upkeep import migrate_all

        migrate_all(_settings(data))
    elif full:
        from curbside.runtime.full import PROCESSES, carry_to_local_servers

        carry_to_local_servers(source, _settings(data), processes or PROCESSES)
    else:
        from curbside.runtime.carrying import carry

        carry(source, _settings(data))


keys_app = _group("keys", "Key-encryption keys: replace one, and wrap the data keys with it.")
ZoneName = Annotated[str, typer.Argument(help="phi, safe or models.")]


@keys_app.command("rotate")
def keys_rotate(zone: ZoneName, data: Data = None) -> None:
    """Make a new key-encryption key for a zone, and wrap its data keys with it. Blobs stay as they are."""
    from curbside.runtime.upkeep import rotate_key

    print(rotate_key(_settings(data), zone))


@keys_app.command("rewrap")
def keys_rewrap(zone: ZoneName, data: Data = None) -> None:
    """Wrap a zone's data keys with its newest key: after one was mounted, or an interrupted rotation."""
    from curbside.runtime.upkeep import rewrap_keys

    print(rewrap_keys(_settings(data), zone))
