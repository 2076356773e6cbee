// Earliest arrivals at all stops by a router from npm: `node reach.mjs ROUTER FOLDER [mended]`.
// FOLDER holds feed.zip, its files beside it, and queries.json: date, stops (the columns of the
// answer), queries [stop, seconds]. The answer, one line of JSON: seconds (of all queries; reading
// the feed apart), arrivals (one row per query) and, where they are asked for, mended arrivals: those
// without a mistake that the router is known to make.
import { readFileSync } from 'node:fs';

const [router, folder, mended] = process.argv.slice(2);
const read = (name) => readFileSync(`${folder}/${name}`, 'utf8');
const { date, stops, queries } = JSON.parse(read('queries.json'));

// The rows of a file of the feed, as reach.py writes it: no quotes, no blanks.
function rows(name) {
  const [head, ...lines] = read(`${name}.txt`).trim().split('\n').map((line) => line.split(','));
  return lines.map((line) => Object.fromEntries(line.map((text, at) => [head[at], text])));
}

async function minotor() {
  const { Query, Router, Time } = await import('minotor');
  const { GtfsParser } = await import('minotor/parser');
  const { timetable, stopsIndex } = await new GtfsParser(`${folder}/feed.zip`).parse(new Date(`${date}T12:00:00`));
  const planner = new Router(timetable, stopsIndex);
  let rounds = (found) => [found.earliestArrivals];
  const ask = (stop, seconds) => {
    const builder = new Query.Builder().from(stop).to([]).maxTransfers(30);
    const found = planner.route(builder.departureTime(Time.fromSeconds(seconds)).build());
    return (to) => {
      const times = rounds(found).map((round) => round.get(to)?.time.toSeconds() ?? Infinity);
      const earliest = Math.min(...times);
      return earliest < Infinity ? earliest : null;
    };
  };
  // A walk at the end of more rides replaces an earlier arrival by fewer. Mended it is the earliest
  // of those that its rounds tell.
  ask.mend = () => {
    rounds = (found) => found.earliestArrivalsPerRound;
  };
  return ask;
}

async function raptor() {
  // Its own reader stands on a zip library that stops in the middle on Node 18 and later.
  const { RaptorAlgorithmFactory, RouteScanner, Service, TimeParser } = (
    await import('raptor-journey-planner')
  ).default;
  const day = new Date(`${date}T12:00:00`);
  const number = Number(date.replaceAll('-', ''));
  const service = new Service(number, number, { [day.getDay()]: true }, {});
  const clock = new TimeParser();
  const trips = new Map();
  for (const row of rows('stop_times')) {
    if (!trips.has(row.trip_id)) {
      trips.set(row.trip_id, { tripId: row.trip_id, serviceId: 'day', stopTimes: [], service });
    }
    trips.get(row.trip_id).stopTimes.push({
      stop: row.stop_id,
      arrivalTime: clock.getTime(row.arrival_time),
      departureTime: clock.getTime(row.departure_time),
      pickUp: row.pickup_type === '0',
      dropOff: row.drop_off_type === '0',
    });
  }
  const transfers = {};
  for (const row of rows('transfers')) {
    (transfers[row.from_stop_id] ??= []).push({
      origin: row.from_stop_id,
      destination: row.to_stop_id,
      duration: Number(row.min_transfer_time),
      startTime: 0,
      endTime: Number.MAX_SAFE_INTEGER,
    });
  }
  const planner = RaptorAlgorithmFactory.create([...trips.values()], transfers, {}, day);
  const ask = (stop, seconds) => {
    const [, best] = planner.scan({ [stop]: seconds }, number, day.getDay());
    return (to) => (best[to] < Number.MAX_SAFE_INTEGER ? best[to] : null);
  };
  // It looks for a trip of a route from the one it found last towards earlier ones, also when it
  // comes to a later stop at a later time, and then finds none. Mended it begins with the last trip.
  const find = RouteScanner.prototype.getTrip;
  ask.mend = () => {
    RouteScanner.prototype.getTrip = function (...about) {
      this.routeScanPosition = {};
      return find.apply(this, about);
    };
  };
  return ask;
}

const ask = await { minotor, 'raptor-journey-planner': raptor }[router]();
const all = () => queries.map(([stop, seconds]) => ask(stop, seconds));
const told = (answers) => answers.map((at) => stops.map(at));
for (const [stop, seconds] of queries.slice(0, 10)) ask(stop, seconds);
const begun = performance.now();
const answers = all();
const took = (performance.now() - begun) / 1000;
const answer = { seconds: took, arrivals: told(answers) };
if (mended) {
  ask.mend();
  answer.mended = told(all());
}
console.log(JSON.stringify(answer));
