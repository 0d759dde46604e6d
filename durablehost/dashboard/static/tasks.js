/** The tasks of a history: each has a beginning and, if it has ended, an end. */
import { timeOf } from "./words.js";

const BEGINS = {
  TaskScheduled: "activity",
  SubOrchestrationInstanceCreated: "child",
  TimerCreated: "timer",
  EventSent: "entity",
};
const ENDS = {
  TaskCompleted: "activity",
  TaskFailed: "activity",
  SubOrchestrationInstanceCompleted: "child",
  SubOrchestrationInstanceFailed: "child",
  TimerFired: "timer",
};

export function isFailure({ kind }) {
  return kind === "TaskFailed" || kind === "SubOrchestrationInstanceFailed";
}

/** The text of a request to an entity, and its id. */
function request(event) {
  try {
    const asked = JSON.parse(event.input);
    return { operation: asked.op, id: asked.id, isSignal: Boolean(asked.signal) };
  } catch {
    return { operation: "", id: "", isSignal: true };
  }
}

/** The name of what each event ends, by the event. */
export function namesOf(events) {
  const ended = tasksOf(events).filter(({ endEvent }) => endEvent);
  return new Map(ended.map(({ endEvent, name }) => [endEvent, name]));
}

export function tasksOf(events) {
  const tasks = [];
  const open = new Map(); // by kind and number
  const failures = new Map(); // of activities and children, by name
  let episode = 0; // when it began
  events.forEach((event, position) => {
    const begins = BEGINS[event.kind];
    const ends = ENDS[event.kind];
    if (event.kind === "OrchestratorStarted") episode = timeOf(event.at);
    if (begins) {
      const task = { type: begins, begin: timeOf(event.at), position, event, end: null };
      if (begins === "entity") {
        const { operation, id, isSignal } = request(event);
        task.name = `${event.instance} ${operation}`;
        if (isSignal) task.end = task.begin;
        else open.set(`reply ${id.toLowerCase()}`, task);
      } else {
        task.name = begins === "timer" ? "timer" : event.name;
        task.attempt = (failures.get(task.name) ?? 0) + 1;
        open.set(`${begins} ${event.id}`, task);
      }
      tasks.push(task);
    } else if (ends) {
      let task = open.get(`${ends} ${event.task}`);
      if (!task) {
        // The management API shows an end in the place of its beginning.
        const begin = timeOf(event.scheduled ?? event.at);
        task = { type: ends, name: event.name ?? ends, begin, position, event, end: null };
        tasks.push(task);
      }
      // The host stamps the end of a timer with the time at which the timer was created.
      task.end = ends === "timer" ? Math.max(timeOf(event.at), episode) : timeOf(event.at);
      task.endEvent = event;
      task.failed = isFailure(event);
      failures.set(task.name, task.failed ? (task.attempt ?? 1) : 0);
    } else if (event.kind === "EventRaised") {
      const reply = open.get(`reply ${(event.name ?? "").toLowerCase()}`);
      if (reply) {
        reply.end = timeOf(event.at);
        reply.endEvent = event;
      } else {
        const at = timeOf(event.at);
        tasks.push({ type: "event", name: event.name, begin: at, end: at, position, event });
      }
    }
  });
  return tasks;
}
