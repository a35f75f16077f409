"""What queues are filled with and what they are good for: items from runs and cases; cases and ratings out of answers.

``Rated`` is what a judge is calibrated with (`evals.calibration`): what people said, and what the judge said.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Literal

from ...errors import InvalidRequest
from ..calibration import Rated
from ..case import Case
from ..datasets.report import Report
from ..result import Result
from .item import Item, Placed
from .question import Question


def items_of_run(run_id: str, cases: Mapping[str, Case], results: Iterable[Result]) -> Iterator[Item]:
    """Outputs of a run; those without one are left out."""
    for result in results:
        case, output = cases.get(result.case_id), result.output
        if case is None or output.error is not None:
            continue
        yield Item(
            input=case.input,
            output=output.text if output.text is not None else output.data,
            reference=case.reference,
            metadata=case.metadata,
            cluster=case.cluster,
            trace_id=output.trace_id,
            run_id=run_id,
            case_id=case.id,
            repeat=result.repeat,
        )


def item_of_case(case: Case, output: str) -> Item:
    """Of something that was recorded."""
    trace_id = case.metadata.get("trace_id")
    metadata = {name: value for name, value in case.metadata.items() if name not in ("trace_id", "output")}
    return Item(
        input=case.input,
        output=output,
        reference=case.reference,
        metadata=metadata,
        cluster=case.cluster,
        trace_id=trace_id if isinstance(trace_id, str) else None,
    )


def cases_of(
    queue: str, items: Iterable[Placed], reference: Literal["label", "output"] = "label", only: Collection[str] = ()
) -> Iterator[Case]:
    """Cases of items whose answer stands. ``reference``: that answer, or the output that was judged; ``only`` where the
    answer is one of these."""
    for placed in items:
        if placed.agreed is None or (only and str(placed.agreed) not in only):
            continue
        item = placed.item
        known = {"trace_id": item.trace_id, "run_id": item.run_id, "case_id": item.case_id}
        said = item.output if reference == "label" else placed.agreed
        yield Case(
            id=f"review-{placed.id}",
            input=item.input,
            reference=placed.agreed if reference == "label" else item.output,
            cluster=item.cluster,
            metadata={
                **item.metadata,
                **{name: value for name, value in known.items() if value is not None},
                "review": {"queue": queue, "state": placed.state, "answers": _answers(placed)},
                "output" if reference == "label" else "label": said,
            },
        )


def _answers(placed: Placed) -> int:
    return sum(mark.state == "answered" for mark in placed.marks)


def ratings_of(
    question: Question,
    items: Iterable[Placed],
    judge: Callable[[Item], float | None],
    report: Report,
    yes: Collection[str] = (),
) -> Iterator[tuple[Placed, Rated]]:
    """Items that people and the judge have judged. Of choices, those in ``yes`` are 1 and all others 0."""
    unknown = sorted(set(yes) - set(question.choices))
    if question.kind == "text" or (question.kind == "choices") != bool(yes) or unknown:
        told = f"{unknown[0]!r} is no choice" if unknown else f"the question is of the kind {question.kind!r}"
        raise InvalidRequest(f"{told}: of choices say which of them mean yes; texts rate nothing", param="yes")
    for placed in items:
        said = judge(placed.item)
        if placed.agreed is None:
            continue
        if said is None:
            report.note("left out: the judge has said nothing of it")
            continue
        human = float(placed.agreed) if isinstance(placed.agreed, int) else float(placed.agreed in yes)
        yield placed, Rated(human, said)
