"""Bugs of concurrency planted in the server core: each needs two things to meet in time, and most runs are fine."""

from agent_sim.jobs.model import JobState
from agent_sim.protocol import agent as wire
from agent_sim.protocol.agent import AgentReply
from agent_sim.server.agent_requests import AgentRequests
from agent_sim.server.operations import bulk
from agent_sim.server.registration import Registration
from agent_sim.server.work import Work


def reschedule_meets_run(patch):
    """A job that runs already is queued once more, if its failed run is rescheduled again."""
    patch.setattr(bulk._Run, "is_queued", property(lambda run: run.job_state is JobState.WAITING and run.at_once))
    patch.setattr(bulk, "advance_job", lambda state, event: state)


def session_replaced_during_run(patch):
    """A completion under a session that was replaced meanwhile is acknowledged and forgotten."""
    complete = AgentRequests._complete

    def forget(self, body, caller, now):
        if self._holding(body.session_token, caller, now) is None:
            return AgentReply(200, wire.CompletionReply(wire.OK))
        return complete(self, body, caller, now)

    patch.setattr(AgentRequests, "_complete", forget)


def acknowledge_meets_retry(patch):
    """Acknowledging a failed run while its retry runs queues the job a third time."""
    acknowledge = Work.acknowledge

    def requeue(self, audit_ids, now):
        acknowledge(self, audit_ids, now)
        for audit_id in audit_ids:
            _, job = self.runs.with_job(audit_id)
            if job.state is JobState.RUNNING:
                self.reschedule([audit_id], [job.job_id], now)

    patch.setattr(Work, "acknowledge", requeue)


def timeout_meets_completion(patch):
    """A completion that comes too late queues the job again, whether or not its next run is under way."""
    before = AgentRequests._completed_before

    def queue(self, run, job, body, data):
        if run.timed_out:
            self._work.reschedule([run.audit_id], [job.job_id], run.ended)
        return before(self, run, job, body, data)

    patch.setattr(AgentRequests, "_completed_before", queue)


def work_meets_busy_agent(patch):
    """Work for an agent that is busy is not announced: it is thought to ask when it is done."""
    configure, complete, changed, register = (
        AgentRequests._configure,
        AgentRequests._complete,
        Work.changed,
        Registration.register,
    )
    busy = set()

    def begin(self, body, caller, now):
        reply = configure(self, body, caller, now)
        session = self._holding(body.session_token, caller, now)
        if session is not None and not reply.body.job_cancelled:
            busy.add(session.agent_id)
        return reply

    def end(self, body, caller, now):
        busy.discard(self._owner(body.session_token, caller))
        return complete(self, body, caller, now)

    def announce(self, agent_id):
        if agent_id not in busy:
            changed(self, agent_id)

    def welcome(self, body, caller, now):
        busy.clear()
        return register(self, body, caller, now)

    patch.setattr(AgentRequests, "_configure", begin)
    patch.setattr(AgentRequests, "_complete", end)
    patch.setattr(Work, "changed", announce)
    patch.setattr(Registration, "register", welcome)


BUGS = {
    reschedule_meets_run: 3,
    session_replaced_during_run: 8,
    acknowledge_meets_retry: 1,
    timeout_meets_completion: 1,
    work_meets_busy_agent: 3,
}
"""Each with a seed that finds it early: every seed tried found every bug in fewer than a hundred runs."""
