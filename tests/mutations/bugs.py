"""Bugs that a server could have, each planted by a few lines around its core or its tables, and the law that must
notice it. What a bug does is in its name; none is anywhere but here."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from agent_sim.instants import MINUTE
from agent_sim.protocol import agent as wire
from agent_sim.protocol import command
from agent_sim.protocol.agent import OK, AgentReply, CompletionReply
from agent_sim.protocol.enums import Result, Status
from agent_sim.protocol.schedule import recurs
from agent_sim.server.problems import AgentCode
from agent_sim.server.tables.columns import array
from agent_sim.states import JobState, RunState
from tests.fleet.replays import START
from tests.mutations.stage import OPERATOR, RECURRING, RESCHEDULED, RESTART, UNSCHEDULED, Bug


def every(n: int) -> Callable[[], bool]:
    """True once in n times."""
    numbers = count(1)
    return lambda: next(numbers) % n == 0


def on_wire(server, kind, change):
    """`change(handler, body, caller, now)` takes the place of the handler of a message."""
    requests = server._agent_requests
    before = requests._handlers[kind]
    requests._handlers = {
        **requests._handlers,
        kind: lambda body, caller, now: change(before, body, caller, now),
    }


def on_operation(server, kind, change):
    """The same for an operation of the management API."""
    before = server._operations[kind]
    server._operations = {
        **server._operations,
        kind: lambda wanted, caller, now: change(before, wanted, caller, now),
    }


# --- jobs and runs ----------------------------------------------------------------------------


def drops_one_completion_in_fifty(server):
    due = every(50)

    def complete(handler, body, caller, now):
        if due():
            return AgentReply(200, CompletionReply(OK))
        return handler(body, caller, now)

    on_wire(server, wire.Complete, complete)


def loses_a_job_when_its_agent_registers_again(server):
    work, due, known = server._work, every(3), set()

    def register(handler, body, caller, now):
        waiting = work.jobs.waiting(body.agent_id) if body.agent_id in known else []
        if waiting and due():
            work.jobs.update(waiting[0]._replace(state=JobState.GONE))
        known.add(body.agent_id)
        return handler(body, caller, now)

    on_wire(server, wire.Register, register)


def unschedules_on_its_own(server):
    work, due = server._work, every(40)
    accept = work.accept

    def accepted(job):
        accept(job)
        if due():
            work.unschedule([job.job_id], job.requested)

    work.accept = accepted


def unschedules_one_that_was_not_named(server):
    def unschedule(handler, wanted, caller, now):
        others = server.handle(command.ListScheduledJobs(command.Page(limit=1000)), OPERATOR, now).body
        reply = handler(wanted, caller, now)
        server._work.unschedule([job.id for job in others if job.id not in wanted.job_ids][:1], now)
        return reply

    on_operation(server, command.Unschedule, unschedule)


def calls_off_what_recurs_after_a_run(server):
    work, due = server._work, every(6)
    end = work.end

    def ended(run, job, result, message, now):
        end(run, job, result, message, now)
        if due():
            work.unschedule([job.job_id], now)

    work.end = ended


def tells_agents_that_jobs_are_cancelled(server):
    due = every(40)

    def configure(handler, body, caller, now):
        if due() and (job := server._work.jobs.by_id(body.job_id)):
            server._work.jobs.update(job._replace(state=JobState.GONE))
        return handler(body, caller, now)

    on_wire(server, wire.Configure, configure)


def runs_what_had_ended_again_after_a_restart(server):
    now = START + RESTART
    runs = server.handle(command.ListJobHistory(command.Page(limit=1000)), OPERATOR, now).body
    for run in runs:
        found = server._work.runs.with_job(run.job_history_id)
        if run.operation_end is not None and run.operation_end > now - MINUTE and found[1].state is JobState.GONE:
            server._work.jobs.update(found[1]._replace(state=JobState.WAITING, at_once=True))


def retries_what_went_well(server):
    end, due = server._work.end, every(20)

    def ended(run, job, result, message, now):
        end(run, job, result, message, now)
        if result is Result.SUCCESS and due():
            server._work.jobs.update(job._replace(state=JobState.WAITING, at_once=True))
            server._work.changed(job.agent_id)

    server._work.end = ended


# --- results ----------------------------------------------------------------------------------


def swaps_success_and_warning_now_and_then(server):
    end, due = server._work.end, every(20)
    other = {Result.SUCCESS: Result.WARNING, Result.WARNING: Result.SUCCESS}

    def ended(run, job, result, message, now):
        end(run, job, other.get(result, result) if due() else result, message, now)

    server._work.end = ended


def lets_a_late_completion_overwrite_the_timeout(server):
    runs = server._work.runs

    def complete(handler, body, caller, now):
        reply = handler(body, caller, now)
        found = runs.with_job(body.audit_id)
        if reply.body.result.code == AgentCode.ALREADY_ENDED and found[0].timed_out:
            runs.ended(found[0]._replace(result=body.status, message=body.message, timed_out=False))
            return AgentReply(200, CompletionReply(OK))
        return reply

    on_wire(server, wire.Complete, complete)


def takes_results_from_the_disapproved(server):
    server._sessions.close = lambda agent_id: None


def never_hands_out_what_recurs(server):
    jobs = server._work.jobs
    waiting = jobs.waiting
    jobs.waiting = lambda agent_id: [job for job in waiting(agent_id) if not recurs(job.schedule)]


def runs_what_recurs_again_right_after_its_end(server):
    work, due = server._work, every(2)
    end = work.end

    def ended(run, job, result, message, now):
        end(run, job, result, message, now)
        if due():
            work.jobs.update(work.jobs.by_id(job.job_id)._replace(state=JobState.WAITING, at_once=True))
            work.changed(job.agent_id)

    work.end = ended


def ends_a_run_by_itself_now_and_then(server):
    work, due = server._work, every(10)
    take = work.take

    def taken(job, now):
        audit_id = take(job, now)
        if due():
            work.end(*work.runs.with_job(audit_id), Result.SUCCESS, "", now)
        return audit_id

    work.take = taken


# --- who gets what ----------------------------------------------------------------------------


def hands_jobs_to_agents_that_cannot_do_them(server):
    work, due = server._work, every(5)
    registration = server._agent_requests._handlers[wire.Register].__self__
    accept = work.accept

    def accepted(job):
        others = server.handle(command.ListAgents(command.Page(limit=100)), OPERATOR, job.requested).body
        incapable = next((each.agent_id for each in others if "-two-" in each.client_machine), None)
        if job.store_id is not None and incapable is not None and due():
            job = job._replace(agent_id=incapable)
        accept(job)

    work.accept = accepted
    registration._jobs = lambda agent, *more: work.jobs.waiting(agent.agent_id)


def hands_jobs_to_a_neighbour_that_can_do_them_too(server):
    work, due = server._work, every(5)
    accept = work.accept

    def accepted(job):
        agents = server.handle(command.ListAgents(command.Page(limit=100)), OPERATOR, job.requested).body
        able = [each.agent_id for each in agents if "-one-" in each.client_machine and each.agent_id != job.agent_id]
        if job.store_id is None and able and due():
            job = job._replace(agent_id=able[0])
        accept(job)

    work.accept = accepted


def counts_one_agent_too_many(server):
    def listed(handler, wanted, caller, now):
        reply = handler(wanted, caller, now)
        return replace(reply, total=reply.total + 1)

    on_operation(server, command.ListAgents, listed)


def leaves_an_agent_out_of_its_list(server):
    def listed(handler, wanted, caller, now):
        reply = handler(wanted, caller, now)
        # Only once all are there, or the operator would never find it.
        return replace(reply, body=reply.body[:-1], total=reply.total - 1) if len(reply.body) > 9 else reply

    on_operation(server, command.ListAgents, listed)


# --- what operators ask for -------------------------------------------------------------------


def says_unscheduled_and_leaves_the_job_waiting(server):
    def unschedule(job_ids, now):
        columns = {"at": now, "kind": "unscheduled", "job_ids": array(job_ids)}
        server._store.run("transitions_of_jobs", columns)

    server._work.unschedule = unschedule


def hands_out_what_was_unscheduled(server):
    work, gone = server._work, {}
    unschedule, waiting = work.unschedule, work.jobs.waiting

    def unscheduled(job_ids, now):
        gone.update({job_id: work.jobs.by_id(job_id) for job_id in job_ids})
        unschedule(job_ids, now)

    def configure(handler, body, caller, now):
        if body.job_id in gone:
            work.jobs.update(gone.pop(body.job_id))
        return handler(body, caller, now)

    work.unschedule = unscheduled
    work.jobs.waiting = lambda agent_id: [*waiting(agent_id), *(j for j in gone.values() if j.agent_id == agent_id)]
    on_wire(server, wire.Configure, configure)


def acknowledges_the_row_below(server):
    work = server._work

    def acknowledge(audit_ids, now):
        wrong = {"audit_ids": array([each + 1 for each in audit_ids]), "status": Status.ACKNOWLEDGED}
        server._store.run("runs_acknowledge", wrong)
        work._note_runs("acknowledged", audit_ids, now)

    work.acknowledge = acknowledge


def forgets_an_acknowledgement_that_is_made_again(server):
    def acknowledge(handler, wanted, caller, now):
        again = [
            audit_id
            for audit_id in wanted.job_audit_ids or ()
            if (found := server._work.runs.with_job(audit_id)) and found[0].state is RunState.ACKNOWLEDGED
        ]
        reply = handler(wanted, caller, now)
        server._store.run("runs_acknowledge", {"audit_ids": array(again), "status": Status.COMPLETED})
        return reply

    on_operation(server, command.Acknowledge, acknowledge)


def runs_a_rescheduled_job_twice(server):
    work, wanted = server._work, set()
    reschedule, end = work.reschedule, work.end

    def rescheduled(audit_ids, job_ids, now):
        wanted.update(job_ids)
        reschedule(audit_ids, job_ids, now)

    def ended(run, job, result, message, now):
        end(run, job, result, message, now)
        if job.job_id in wanted:
            wanted.discard(job.job_id)
            work.jobs.update(job._replace(state=JobState.WAITING, at_once=True))
            work.changed(job.agent_id)

    work.reschedule, work.end = rescheduled, ended


def says_rescheduled_and_leaves_it_as_it_was(server):
    work = server._work
    work.reschedule = lambda audit_ids, job_ids, now: work._note_runs("rescheduled", audit_ids, now)


def accepts_a_reschedule_and_does_nothing(server):
    server._work.reschedule = lambda audit_ids, job_ids, now: None


BUGS = [
    Bug(drops_one_completion_in_fifty, "no_lost_jobs"),
    Bug(loses_a_job_when_its_agent_registers_again, "no_lost_jobs", others=("rescheduled_once",)),
    Bug(unschedules_on_its_own, "no_lost_jobs"),
    Bug(unschedules_one_that_was_not_named, "no_lost_jobs"),
    Bug(calls_off_what_recurs_after_a_run, "no_lost_jobs", scenario=RECURRING),
    Bug(tells_agents_that_jobs_are_cancelled, "no_lost_jobs"),
    Bug(runs_what_had_ended_again_after_a_restart, "at_most_once", at_restart=True, others=("rescheduled_once",)),
    Bug(retries_what_went_well, "at_most_once"),
    Bug(never_hands_out_what_recurs, "no_lost_jobs", scenario=RECURRING),
    Bug(runs_what_recurs_again_right_after_its_end, "at_most_once", others=("no_lost_jobs",), scenario=RECURRING),
    Bug(swaps_success_and_warning_now_and_then, "status_agrees"),
    Bug(ends_a_run_by_itself_now_and_then, "status_agrees"),
    Bug(lets_a_late_completion_overwrite_the_timeout, "single_terminal_state"),
    Bug(takes_results_from_the_disapproved, "no_result_from_unapproved"),
    Bug(hands_jobs_to_agents_that_cannot_do_them, "capability_respected"),
    Bug(hands_jobs_to_a_neighbour_that_can_do_them_too, "capability_respected"),
    Bug(counts_one_agent_too_many, "fleet_count"),
    Bug(leaves_an_agent_out_of_its_list, "fleet_count"),
    Bug(says_unscheduled_and_leaves_the_job_waiting, "no_job_after_unschedule"),
    Bug(says_unscheduled_and_leaves_the_job_waiting, "no_job_after_unschedule", scenario=UNSCHEDULED),
    Bug(hands_out_what_was_unscheduled, "no_job_after_unschedule", scenario=UNSCHEDULED),
    Bug(unschedules_on_its_own, "no_lost_jobs", scenario=UNSCHEDULED),
    Bug(acknowledges_the_row_below, "acknowledged_stays_acknowledged"),
    Bug(forgets_an_acknowledgement_that_is_made_again, "acknowledged_stays_acknowledged"),
    Bug(runs_a_rescheduled_job_twice, "rescheduled_once", others=("at_most_once",)),
    Bug(says_rescheduled_and_leaves_it_as_it_was, "rescheduled_once"),
    Bug(runs_a_rescheduled_job_twice, "rescheduled_once", scenario=RESCHEDULED),
    Bug(says_rescheduled_and_leaves_it_as_it_was, "rescheduled_once", scenario=RESCHEDULED),
    Bug(accepts_a_reschedule_and_does_nothing, "rescheduled_once", others=("no_lost_jobs",)),
]
