"""An eval put together: the configured subject, its price, and where the run is kept.

The domain knows neither the pipeline nor prices nor the database's address; here they meet.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

import msgspec

from ..app import Stack
from ..clock import SystemClock
from ..deployments import build_models, build_prices
from ..errors import ConfigError, LLMOpsError
from ..evals.calibration import CalibrationFile
from ..evals.config import RunConfig, SubjectConfig, load
from ..evals.dataset import Dataset
from ..evals.engine import Stop
from ..evals.journal import Journal
from ..evals.judge_model import ModelJudge
from ..evals.repository.results import ResultRepository
from ..evals.repository.runs import RunRepository
from ..evals.run import RunSpec
from ..evals.running import MakeEngine, Progress, Run, Runner, local_engine
from ..evals.scorer import Scorer
from ..evals.scorers.registry import Tools
from ..evals.storing import Storing
from ..evals.subject import Subject
from ..evals.subjects.chat_request import ChatRequest
from ..evals.subjects.endpoint import EndpointSubject, PriceOf
from ..evals.subjects.function import FunctionSubject
from ..evals.subjects.model import ModelSubject
from ..evals.subjects.replay import ReplaySubject
from ..policies.routing import ModelTable
from ..providers.transport import Transport
from ..settings import Settings
from ..store.database import Database
from ..tokens import estimate_prompt
from ..types import Deployment, Usage
from .asking import AskEmbedder, StackAsk
from .releases import known_releases

TAG = "eval"
"""The tag that says which run a call was made for."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run will take, before it is begun. ``cost_nanousd`` None: nobody knows the price."""

    cells: int
    tokens_in: int
    tokens_out: int
    cost_nanousd: int | None


@asynccontextmanager
async def open_parts(config: RunConfig, settings: Settings, run_id: str) -> AsyncIterator[tuple[Subject, Tools]]:
    """The subject of a configuration and what its scorers are handed, for as long as the block lasts. `ConfigError`
    for one that is of no use."""
    wanted = config.subject
    async with AsyncExitStack() as opened:
        ask: StackAsk | None = None
        is_asked = (wanted.model is not None and wanted.url is None) or bool(_models_of(config))
        if is_asked:
            stack = await opened.enter_async_context(Stack(settings, releases=await known_releases(settings)))
            ask = StackAsk(stack, tenant=config.tenant, tags={TAG: run_id})
        tools = _tools(config, settings, ask)
        if wanted.function is not None:
            yield _function(wanted.function), tools
        elif wanted.replay is not None:
            yield ReplaySubject.read(wanted.replay), tools
        elif wanted.url is not None:
            subject = _endpoint(config, settings, run_id)
            opened.push_async_callback(subject.aclose)
            yield subject, tools
        else:
            assert ask is not None
            versions = {} if settings.prompts.version is None else {"prompt_version": settings.prompts.version}
            yield ModelSubject(ask, request_of(wanted), versions=versions), tools


def _models_of(config: RunConfig) -> list[str]:
    """The models that scorers ask."""
    judges = [*([config.judge] if config.judge is not None else []), *config.panel]
    return [each.model for each in judges] + ([config.embeddings] if config.embeddings is not None else [])


def _tools(config: RunConfig, settings: Settings, ask: StackAsk | None) -> Tools:
    """What scorers are handed; `ConfigError` where a budget cannot be kept, since a model has no price."""
    if config.max_usd is not None:
        problems = [
            f"{model!r}: a budget (max_usd) cannot be kept without its price"
            for model in dict.fromkeys(_models_of(config))
            if price_of(model, settings) is None
        ]
        if problems:
            raise ConfigError(problems, source="the models that scorers ask")
    known = CalibrationFile(config.calibrations) if config.calibrations is not None else None
    if ask is None:
        return Tools(calibrations=known)
    judges = [ModelJudge(ask, each.model, params=each.params) for each in config.panel]
    return Tools(
        judge=ModelJudge(ask, config.judge.model, params=config.judge.params) if config.judge is not None else None,
        panel=judges,
        embedder=AskEmbedder(ask, config.embeddings) if config.embeddings is not None else None,
        calibrations=known,
    )


def _endpoint(config: RunConfig, settings: Settings, run_id: str) -> EndpointSubject:
    wanted = config.subject
    return EndpointSubject(
        wanted.url or "",
        request_of(wanted),
        key=_key(wanted),
        headers=wanted.headers,
        retries=wanted.retries,
        timeout_s=config.timeout_s,
        price_of=price_of(wanted.model or "", settings),
        tags={TAG: run_id},
    )


def _function(path: str) -> FunctionSubject:
    try:
        return FunctionSubject(load(path), name=path)
    except ValueError as exc:
        raise ConfigError([f"function: {exc}"], source="the subject") from exc


def request_of(config: SubjectConfig) -> ChatRequest:
    return ChatRequest(
        model=config.model or "",
        system=config.system,
        template=config.template,
        params=config.params,
        stream=config.stream,
    )


def _key(config: SubjectConfig) -> str | None:
    if config.key_env is None:
        return None
    key = os.environ.get(config.key_env)
    if not key:
        raise ConfigError([f"key_env: {config.key_env!r}: the variable is not set"], source="the subject")
    return key


def price_of(model: str, settings: Settings) -> PriceOf | None:
    """What a call for this model costs, as far as these settings tell; None where they do not."""
    deployment = _deployment(model, settings)
    prices = build_prices(settings)
    if deployment is None or prices.find(deployment, model, time.time()) is None:
        return None

    def cost(prompt: int, cached: int, completion: int) -> int | None:
        price = prices.find(deployment, model, time.time())
        usage = Usage(prompt=prompt, cached=min(cached, prompt), completion=completion)
        return price.cost(usage) if price is not None else None

    return cost


def _deployment(model: str, settings: Settings) -> Deployment | None:
    try:
        found = ModelTable(build_models(settings, SystemClock(), Transport())).find(model)
    except LLMOpsError:
        return None
    return found.deployments[0] if found.deployments else None


def plan(config: RunConfig, dataset: Dataset, settings: Settings) -> Plan:
    """Cells times tokens times price. Prompts are estimated by their length, answers by ``max_tokens`` or what is
    assumed of a model; judges are not in it."""
    cells, subject = len(dataset) * config.repeats, config.subject
    if subject.model is None:
        return Plan(cells=cells, tokens_in=0, tokens_out=0, cost_nanousd=0)
    request, assumed = request_of(subject), settings.limits.assumed_output_tokens
    limit = subject.params.get("max_completion_tokens", subject.params.get("max_tokens"))
    out = min(assumed, limit) if isinstance(limit, int) else assumed
    price, tokens_in, cost = price_of(subject.model, settings), 0, 0
    for case in dataset.cases:
        prompt = estimate_prompt(msgspec.json.encode(request.body(case)))
        tokens_in += prompt
        cost += (price(prompt, 0, out) or 0) if price is not None else 0
    repeats = config.repeats
    return Plan(
        cells=cells,
        tokens_in=tokens_in * repeats,
        tokens_out=out * cells,
        cost_nanousd=cost * repeats if price is not None else None,
    )


async def run(
    config: RunConfig,
    settings: Settings,
    spec: RunSpec,
    dataset: Dataset,
    subject: Subject,
    scorers: list[Scorer],
    journal: Journal,
    *,
    is_stored: bool = True,
    on_progress: Callable[[Progress], None] | None = None,
    make_engine: MakeEngine = local_engine,
) -> Run:
    """Run what the journal lacks. The first Ctrl-C lets cells under way be finished, the second does not."""
    stop = Stop()
    database = Database(settings.database.url) if is_stored else None
    try:
        storing = Storing(spec, RunRepository(database), ResultRepository(database)) if database is not None else None
        runner = Runner(
            spec,
            dataset,
            subject,
            scorers,
            journal=journal,
            storing=storing,
            max_nanousd=None if config.max_usd is None else round(config.max_usd * 1e9),
            slices=config.slices,
            stop=stop,
            on_progress=on_progress,
            make_engine=make_engine,
        )
        with interruptible(stop):
            return await runner.run()
    finally:
        if database is not None:
            database.close()


@contextmanager
def open_runs(settings: Settings) -> Iterator[RunRepository]:
    """The runs in these settings' database."""
    database = Database(settings.database.url)
    try:
        yield RunRepository(database)
    finally:
        database.close()


@contextmanager
def open_stored(settings: Settings) -> Iterator[tuple[RunRepository, ResultRepository]]:
    """The runs in these settings' database, and their results."""
    database = Database(settings.database.url)
    try:
        yield RunRepository(database), ResultRepository(database)
    finally:
        database.close()


@contextmanager
def interruptible(stop: Stop) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM stops; the second cancels."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def on_signal() -> None:
        if stop.reason is not None and task is not None:
            task.cancel()
        stop("stopped")

    numbers: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in numbers:
            loop.add_signal_handler(number, on_signal)
    except (ValueError, NotImplementedError, RuntimeError):  # not the main thread, or no such platform
        numbers = ()
    try:
        yield
    finally:
        for number in numbers:
            with suppress(ValueError):
                loop.remove_signal_handler(number)
