"""`make chart`: lint, render and strictly validate everything that deploys Curbside. Status 1 on a fault."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import jsonschema
import programs
import yaml
from apiserver import ASSETS, ServerFailed, api_server, server_faults
from refusals import REFUSALS
from rendering import (
    CHART,
    ROOT,
    Document,
    RenderingRefused,
    ValueSet,
    kind_manifests,
    lint,
    render,
    value_sets,
)
from rich.console import Console
from rich.table import Table
from strictness import faults, repeated, schema_faults

from curbside.errors import CurbsideError
from curbside.settings import child_environment

Check = Callable[[], Iterator[str]]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"


def main() -> int:
    console = Console(stderr=True)
    try:
        with console.status("helm and hadolint"):
            helm, hadolint = programs.helm(), programs.hadolint()
    except (programs.ProgramMissing, CurbsideError) as error:
        print(f"make chart: {error}", file=sys.stderr)
        return 2
    table = Table("check", "result", "faults", title="Curbside's chart and recipes")
    failed = False
    for name, check in checks(helm, hadolint):
        with console.status(name):
            found = list(check())
        failed = failed or bool(found)
        table.add_row(name, "[red]failed[/]" if found else "ok", "\n".join(found))
    Console().print(table)
    return 1 if failed else 0


def checks(helm: Path, hadolint: Path) -> Iterator[tuple[str, Check]]:
    yield "values.schema.json is a schema", schema_is_one
    yield "default values: lint", partial(refused, partial(lint, helm, []))
    yield "default values: refused, naming what to set", partial(default_refused, helm)
    for values in value_sets():
        yield f"{values.name}: lint --strict", partial(refused, partial(lint, helm, values.arguments))
        yield f"{values.name}: render, strict schemas", partial(rendered, helm, values)
    yield f"{len(REFUSALS)} wrong values refused", partial(wrong_values, helm)
    yield "deploy/kind: strict schemas", partial(strict, kind_manifests)
    assets = child_environment().get(ASSETS)
    if assets:
        yield "everything: taken by a real API server", partial(served, helm, Path(assets))
    yield "Dockerfile: hadolint", partial(dockerfile, hadolint)
    yield "skaffold.yaml: strict schema", skaffold
    yield "Prometheus, Grafana, kind: readable", readable


def schema_is_one() -> Iterator[str]:
    schema = json.loads((CHART / "values.schema.json").read_text())
    try:
        jsonschema.Draft7Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        yield error.message


def refused(step: Callable[[], object]) -> Iterator[str]:
    try:
        step()
    except (RenderingRefused, yaml.YAMLError) as error:
        yield str(error)


def default_refused(helm: Path) -> Iterator[str]:
    """The defaults name no image, key or model of anyone's: they must say so, all at once."""
    wanted = (
        *("image.registry", "image.tag", "secrets.keys", "secrets.serviceToken", "baseModel"),
        "ray.apiServer.cidr",
    )
    try:
        render(helm, [])
    except RenderingRefused as error:
        yield from (f"does not name {name}" for name in wanted if f"{name} is empty" not in str(error))
    else:
        yield "rendered"


def rendered(helm: Path, values: ValueSet) -> Iterator[str]:
    yield from strict(partial(render, helm, values.arguments))


def strict(read: Callable[[], list[Document]]) -> Iterator[str]:
    try:
        documents = read()
    except (RenderingRefused, yaml.YAMLError) as error:
        yield str(error)
        return
    for document in documents:
        yield from faults(document)
    yield from (f"{name} stands twice" for name in repeated(documents))


def served(helm: Path, assets: Path) -> Iterator[str]:
    try:
        with api_server(assets) as client:
            yield from server_faults(client, kind_manifests())
            for values in value_sets():
                found = server_faults(client, render(helm, values.arguments))
                yield from (f"{values.name}: {fault}" for fault in found)
    except (ServerFailed, RenderingRefused, OSError) as error:
        yield str(error)


def wrong_values(helm: Path) -> Iterator[str]:
    for refusal in REFUSALS:
        base = CHART / "ci" / f"{refusal.base}-values.yaml"
        try:
            render(helm, ValueSet("wrong", base, refusal.settings).arguments)
        except RenderingRefused as error:
            if refusal.sentence not in str(error):
                yield f"{refusal.settings}: refused, but not with {refusal.sentence!r}: {error}"
        else:
            yield f"{refusal.settings}: rendered"


def dockerfile(hadolint: Path) -> Iterator[str]:
    done = subprocess.run([hadolint, "--no-color", str(DOCKERFILE)], capture_output=True, text=True)
    if done.returncode:
        yield (done.stdout + done.stderr).strip()


def skaffold() -> Iterator[str]:
    config = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    yield from schema_faults(config, "skaffold")
    for artifact in config["build"]["artifacts"]:
        if not (ROOT / artifact["docker"]["dockerfile"]).is_file():
            yield f"{artifact['image']}: there is no {artifact['docker']['dockerfile']}"
    for release in config["deploy"]["helm"]["releases"]:
        for path in (release["chartPath"], *release["valuesFiles"]):
            if not (ROOT / path).exists():
                yield f"release {release['name']}: there is no {path}"
    for profile in config["profiles"]:
        for patch in profile["patches"]:
            if not (ROOT / patch["value"]).is_file():
                yield f"profile {profile['name']}: there is no {patch['value']}"


def readable() -> Iterator[str]:
    for folder in ("prometheus", "grafana", "kind"):
        for path in sorted((ROOT / "deploy" / folder).iterdir()):
            try:
                if path.suffix == ".json":
                    json.loads(path.read_text())
                elif path.suffix == ".yaml":
                    list(yaml.safe_load_all(path.read_text()))
            except (ValueError, yaml.YAMLError) as error:
                yield f"{path.relative_to(ROOT)}: {error}"


if __name__ == "__main__":
    raise SystemExit(main())
