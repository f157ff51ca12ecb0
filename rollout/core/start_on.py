"""What starts a rollout by itself: the sources of news, and the rules that policies have for it."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from rollout.core.frozen import Frozen


class Source(StrEnum):
    """Who brings the news, and which: each is a key of a rule."""

    GITHUB_WORKFLOW_RUN = "github_workflow_run"
    GITHUB_DEPLOYMENT = "github_deployment"
    GITHUB_DEPLOYMENT_STATUS = "github_deployment_status"
    AZURE_BUILD = "azure_build"
    AZURE_RELEASE = "azure_release"
    AZURE_PIPELINE_RUN = "azure_pipeline_run"
    MODEL_REGISTERED = "model_registered"
    DEPLOYMENT_WRITTEN = "deployment_written"


Wish = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Template = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Conditions(Frozen):
    """What the news must say: a name or a pattern with `*` each; what is not named may be any.

    `more` are the values that templates may take besides those that can be asked for; `open` are
    the beginnings of those whose names only the sender knows.
    """

    more: ClassVar[tuple[str, ...]] = ()
    open: ClassVar[tuple[str, ...]] = ()


class WorkflowRun(Conditions):
    """A workflow run on GitHub: the event workflow_run."""

    more = ("run_number", "run_id", "run_attempt", "sha", "short_sha", "url")
    repository: Wish | None = None
    workflow: Wish | None = None
    branch: Wish | None = None
    event: Wish | None = Field(None, description="what set it off, such as push")
    actor: Wish | None = None
    action: Wish = "completed"
    conclusion: Wish = "success"


class GithubDeployment(Conditions):
    """A deployment on GitHub: the event deployment."""

    more = ("deployment_id", "sha", "short_sha", "url")
    open = ("payload.",)
    repository: Wish | None = None
    environment: Wish | None = None
    ref: Wish | None = None
    task: Wish | None = None
    creator: Wish | None = None


class GithubDeploymentStatus(Conditions):
    """A deployment on GitHub that came to a state: the event deployment_status."""

    more = ("deployment_id", "sha", "short_sha", "url")
    open = ("payload.",)
    repository: Wish | None = None
    environment: Wish | None = None
    ref: Wish | None = None
    task: Wish | None = None
    creator: Wish | None = None
    state: Wish = "success"


class Build(Conditions):
    """A build of Azure DevOps: the event build.complete."""

    more = ("build_number", "build_id", "sha", "short_sha", "url")
    project: Wish | None = None
    definition: Wish | None = None
    branch: Wish | None = Field(None, description="such as refs/heads/main")
    reason: Wish | None = None
    result: Wish = "succeeded"


class Release(Conditions):
    """A release of Azure DevOps: the event ms.vss-release.deployment-completed-event."""

    more = ("release", "release_id", "url")
    project: Wish | None = None
    definition: Wish | None = None
    environment: Wish | None = None
    status: Wish = "succeeded"


class PipelineRun(Conditions):
    """A pipeline run of Azure DevOps: the event ms.vss-pipelines.run-state-changed-event."""

    more = ("run", "run_id", "url")
    open = ("parameters.",)
    project: Wish | None = None
    pipeline: Wish | None = None
    branch: Wish | None = Field(None, description="such as refs/heads/main")
    state: Wish = "completed"
    result: Wish = "succeeded"


class ModelRegistered(Conditions):
    """A new version of a model in a workspace: the Event Grid event ModelRegistered."""

    more = ("model_version",)
    open = ("tags.",)
    workspace: Wish | None = None
    model: Wish | None = None


class DeploymentWritten(Conditions):
    """A deployment that someone created: the Event Grid event ResourceWriteSuccess."""

    workspace: Wish | None = None
    endpoint: Wish | None = None
    deployment: Wish | None = None


class Create(Frozen):
    """How the deployment comes to be, where nobody has created it."""

    template: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="a deployment's file beside the policies, YAML or the body of ARM"
    )


CONDITIONS: Mapping[Source, type[Conditions]] = {
    Source.GITHUB_WORKFLOW_RUN: WorkflowRun,
    Source.GITHUB_DEPLOYMENT: GithubDeployment,
    Source.GITHUB_DEPLOYMENT_STATUS: GithubDeploymentStatus,
    Source.AZURE_BUILD: Build,
    Source.AZURE_RELEASE: Release,
    Source.AZURE_PIPELINE_RUN: PipelineRun,
    Source.MODEL_REGISTERED: ModelRegistered,
    Source.DEPLOYMENT_WRITTEN: DeploymentWritten,
}


class StartRule(Frozen):
    """One piece of news that starts a rollout, and what is rolled out then."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    github_workflow_run: WorkflowRun | None = None
    github_deployment: GithubDeployment | None = None
    github_deployment_status: GithubDeploymentStatus | None = None
    azure_build: Build | None = None
    azure_release: Release | None = None
    azure_pipeline_run: PipelineRun | None = None
    model_registered: ModelRegistered | None = None
    deployment_written: DeploymentWritten | None = None
    endpoint: Template | None = Field(
        None, description="none: the one that match names, or that the news is about"
    )
    deployment: Template | None = Field(
        None, description='the new deployment, such as "churn-{run_number}"'
    )
    create: Create | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [source.value for source in Source if getattr(self, source) is not None]
        if len(given) != 1:
            told = " and ".join(given) or "none"
            raise ValueError(f"a rule has exactly one source, not {told}; {_KNOWN}")
        if self.source is Source.DEPLOYMENT_WRITTEN:
            if self.deployment or self.endpoint or self.create:
                raise ValueError(
                    "the news names the endpoint and the deployment, which is there;"
                    " leave out endpoint, deployment and create"
                )
        elif self.deployment is None:
            raise ValueError(
                'deployment is missing; write which one is new, such as "churn-{run_number}"'
            )
        self._check_templates()
        return self

    def _check_templates(self) -> None:
        for name in ("endpoint", "deployment"):
            for word in words(getattr(self, name) or ""):
                if not takes(self.source, word):
                    told = f"{self.source} brings no {{{word}}}; it brings {known(self.source)}"
                    raise ValueError(f"{name}: {told}")

    @model_serializer(mode="wrap")
    def _only_that_one(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if value is not None}

    @property
    def source(self) -> Source:
        return next(source for source in Source if getattr(self, source) is not None)

    @property
    def conditions(self) -> Mapping[str, str]:
        """What the news must say, by the name of the value."""
        wanted: dict[str, str] = getattr(self, self.source).model_dump(exclude_none=True)
        return wanted


_KNOWN = f"known: {', '.join(Source)}"
_WORD = re.compile(r"\{([^{}]*)\}")


def words(template: str) -> list[str]:
    """The names that stand in braces."""
    return _WORD.findall(template)


def takes(source: Source, word: str) -> bool:
    """Whether news of that source may bring a value of that name."""
    conditions = CONDITIONS[source]
    named = word in conditions.model_fields or word in conditions.more
    return named or any(word.startswith(one) and word != one for one in conditions.open)


def known(source: Source) -> str:
    """All names that templates may have for news of that source."""
    conditions = CONDITIONS[source]
    named = [f"{{{name}}}" for name in (*conditions.model_fields, *conditions.more)]
    return ", ".join([*named, *(f"{{{name}NAME}}" for name in conditions.open)])


def filled(template: str, values: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The text with the values in it, and the names for which there is none."""
    missing = tuple(word for word in words(template) if word not in values)
    return _WORD.sub(lambda found: values.get(found[1], found[0]), template), missing
