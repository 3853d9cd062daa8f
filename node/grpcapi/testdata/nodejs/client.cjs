// What a program with the official Node.js client does with the node whose
// connection string is given. TestNodeJSClient runs it.
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { randomUUID } = require("node:crypto");
const db = require("@eventstore/db-client");

const client = db.EventStoreDBClient.connectionString(process.argv[2]);
const name = (prefix) => `${prefix}-${randomUUID().replaceAll("-", "")}`;
const event = (letter) =>
  db.jsonEvent({ id: randomUUID(), type: `Type${letter.toUpperCase()}`, data: { letter }, metadata: { of: letter } });
const events = (letters) => [...letters].map(event);
const lettersOf = (list) => list.map((e) => e.event?.type.slice(4).toLowerCase() ?? "-").join("");

async function collect(stream) {
  const list = [];
  for await (const e of stream) list.push(e);
  return list;
}

// take is the next n events of a subscription.
async function take(subscription, n) {
  const list = [];
  for await (const e of subscription.iterator({ destroyOnReturn: false })) {
    list.push(e);
    if (list.length === n) return list;
  }
  throw new Error(`the subscription ended after ${list.length} of ${n} events`);
}

async function refused(promise, type, fields = {}) {
  const error = await promise.then(
    (answer) => assert.fail(`${type.name} was expected, not ${JSON.stringify(answer, (_, v) => (typeof v === "bigint" ? String(v) : v))}`),
    (e) => e,
  );
  assert.ok(error instanceof type, `${type.name} was expected, not ${error.stack}`);
  for (const [field, value] of Object.entries(fields)) assert.deepEqual(error[field], value, field);
}

const steps = {
  async "appends, each with its revision and position"() {
    const stream = name("append");
    const first = await client.appendToStream(stream, events("abc"), { expectedRevision: db.NO_STREAM });
    assert.equal(first.success, true);
    assert.equal(first.nextExpectedRevision, 2n);
    const second = await client.appendToStream(stream, event("d"), { expectedRevision: 2n });
    assert.equal(second.nextExpectedRevision, 3n);
    assert.ok(second.position.commit > first.position.commit);
    await client.appendToStream(stream, event("e"), { expectedRevision: db.STREAM_EXISTS });
    assert.equal(lettersOf(await collect(client.readStream(stream))), "abcde");
  },

  async "repeats an append without doing it twice"() {
    const stream = name("repeat");
    const list = events("ab");
    const first = await client.appendToStream(stream, list);
    const again = await client.appendToStream(stream, list);
    assert.deepEqual(again, first);
    assert.equal(lettersOf(await collect(client.readStream(stream))), "ab");
  },

  async "is told of a wrong revision, in a batch and alone"() {
    const stream = name("wrong");
    await client.appendToStream(stream, events("ab"));
    for (const credentials of [undefined, { username: "admin", password: "changeit" }]) {
      const append = (expectedRevision, to = stream) => client.appendToStream(to, event("c"), { expectedRevision, credentials });
      await refused(append(db.NO_STREAM), db.WrongExpectedVersionError, { streamName: stream, expectedVersion: "no_stream", actualVersion: 1n });
      await refused(append(7n), db.WrongExpectedVersionError, { expectedVersion: 7n, actualVersion: 1n });
      await refused(append(0n, name("none")), db.WrongExpectedVersionError, { expectedVersion: 0n, actualVersion: "no_stream" });
      await refused(append(db.STREAM_EXISTS, name("none")), db.WrongExpectedVersionError, { expectedVersion: "stream_exists" });
    }
    const lenient = db.EventStoreDBClient.connectionString(process.argv[2] + "&throwOnAppendFailure=false");
    const answer = await lenient.appendToStream(stream, event("c"), { expectedRevision: 7n });
    assert.equal(answer.success, false);
    await lenient.dispose();
  },

  async "is told of too much, in a batch and alone"() {
    const heavy = db.binaryEvent({ id: randomUUID(), type: "heavy", data: Buffer.alloc(2 << 20) });
    for (const credentials of [undefined, { username: "admin", password: "changeit" }]) {
      await refused(client.appendToStream(name("heavy"), heavy, { credentials }), db.MaxAppendSizeExceededError, { maxAppendSize: 1 << 20 });
    }
  },

  async "appends in pieces"() {
    const stream = name("pieces");
    const list = Array.from({ length: 200 }, () => db.binaryEvent({ id: randomUUID(), type: "TypeX", data: Buffer.alloc(4000, 7) }));
    const done = await client.appendToStream(stream, list, { expectedRevision: db.NO_STREAM, batchAppendSize: 50_000 });
    assert.equal(done.nextExpectedRevision, 199n);
    const back = await collect(client.readStream(stream));
    assert.deepEqual(back.map((e) => e.event.id), list.map((e) => e.id));
    assert.deepEqual(Buffer.from(back[100].event.data), Buffer.alloc(4000, 7));
  },

  async "appends at the same time"() {
    const streams = Array.from({ length: 20 }, () => name("parallel"));
    await Promise.all(Array.from({ length: 400 }, (_, i) => client.appendToStream(streams[i % 20], event("p"))));
    for (const stream of streams) assert.equal((await collect(client.readStream(stream))).length, 20);
  },

  async "reads a stream in every direction"() {
    const stream = name("read");
    const list = events("abcdef");
    await client.appendToStream(stream, list);
    const read = async (options) => lettersOf(await collect(client.readStream(stream, options)));
    assert.equal(await read({}), "abcdef");
    assert.equal(await read({ fromRevision: 2n, maxCount: 3 }), "cde");
    assert.equal(await read({ direction: db.BACKWARDS, fromRevision: db.END }), "fedcba");
    assert.equal(await read({ direction: db.BACKWARDS, fromRevision: 2n, maxCount: 2 }), "cb");
    const [{ event: got, commitPosition }] = await collect(client.readStream(stream, { maxCount: 1 }));
    assert.equal(got.id, list[0].id);
    assert.deepEqual(got.data, { letter: "a" });
    assert.deepEqual(got.metadata, { of: "a" });
    assert.equal(got.streamId, stream);
    assert.equal(got.revision, 0n);
    assert.equal(got.isJson, true);
    assert.ok(Math.abs(Date.now() - got.created.getTime()) < 60_000, String(got.created));
    assert.equal(commitPosition, got.position.commit);
    await refused(collect(client.readStream(name("none"))), db.StreamNotFoundError);
  },

  async "reads the whole log"() {
    const stream = name("log");
    const done = await client.appendToStream(stream, events("ab"));
    const ours = (list) => lettersOf(list.filter((e) => e.event?.streamId === stream));
    assert.equal(ours(await collect(client.readAll())), "ab");
    assert.equal(ours(await collect(client.readAll({ direction: db.BACKWARDS, fromPosition: db.END }))), "ba");
    assert.equal(ours(await collect(client.readAll({ fromPosition: done.position }))), "b");
    assert.equal(ours(await collect(client.readAll({ fromPosition: done.position, direction: db.BACKWARDS, maxCount: 1 }))), "a");
  },

  async "follows links, and finds what they point at gone"() {
    const stream = name("target");
    const links = name("links");
    await client.appendToStream(stream, events("ab"));
    await client.appendToStream(links, [0, 1].map((n) => db.binaryEvent({ type: "$>", data: Buffer.from(`${n}@${stream}`) })));
    const resolve = async () => collect(client.readStream(links, { resolveLinkTos: true }));
    const [first] = await resolve();
    assert.equal(first.event.streamId, stream);
    assert.equal(first.link.streamId, links);
    await client.deleteStream(stream);
    assert.equal(lettersOf(await resolve()), "--");
  },

  async "describes a stream"() {
    const stream = name("described");
    await client.appendToStream(stream, events("abc"));
    await client.setStreamMetadata(stream, { maxCount: 2, acl: { readRoles: ["$all"] }, colour: "red" });
    const { metadata } = await client.getStreamMetadata(stream);
    assert.equal(metadata.maxCount, 2);
    assert.equal(metadata.colour, "red");
    assert.equal(lettersOf(await collect(client.readStream(stream))), "bc");
  },

  async "deletes a stream, and for ever"() {
    const stream = name("deleted");
    await client.appendToStream(stream, events("ab"));
    await refused(client.deleteStream(stream, { expectedRevision: 7n }), db.WrongExpectedVersionError, {
      streamName: stream, expectedVersion: 7n, actualVersion: 1n,
    });
    await refused(client.tombstoneStream(name("none"), { expectedRevision: 7n }), db.WrongExpectedVersionError, { expectedVersion: 7n });
    const { position } = await client.deleteStream(stream, { expectedRevision: 1n });
    assert.ok(position.commit > 0n);
    await refused(collect(client.readStream(stream)), db.StreamNotFoundError);
    const next = await client.appendToStream(stream, event("c"), { expectedRevision: db.NO_STREAM });
    assert.equal(next.nextExpectedRevision, 2n);
    assert.equal(lettersOf(await collect(client.readStream(stream))), "c");
    await client.tombstoneStream(stream, { expectedRevision: 2n });
    await refused(collect(client.readStream(stream)), db.StreamDeletedError, { streamName: stream });
    await refused(client.appendToStream(stream, event("d")), db.StreamDeletedError, { streamName: stream });
    await refused(client.deleteStream(stream), db.StreamDeletedError, { streamName: stream });
  },

  async "subscribes to a stream"() {
    const stream = name("subscribed");
    await client.appendToStream(stream, events("ab"));
    const subscription = client.subscribeToStream(stream);
    const caughtUp = once(subscription, "caughtUp");
    assert.equal(lettersOf(await take(subscription, 2)), "ab");
    await caughtUp;
    await client.appendToStream(stream, events("cd"));
    assert.equal(lettersOf(await take(subscription, 2)), "cd");
    await subscription.unsubscribe();

    const later = client.subscribeToStream(stream, { fromRevision: 1n });
    assert.equal(lettersOf(await take(later, 2)), "cd");
    await later.unsubscribe();
  },

  async "subscribes to the log through a filter"() {
    const prefix = name("filtered");
    const checkpoints = [];
    const subscription = client.subscribeToAll({
      fromPosition: db.START,
      filter: db.streamNameFilter({
        prefixes: [prefix],
        maxSearchWindow: 5,
        checkpointReached: async (_, position) => checkpoints.push(position.commit),
      }),
    });
    await once(subscription, "caughtUp");
    await client.appendToStream(name("other"), events("zzzzzz"));
    await client.appendToStream(`${prefix}-1`, events("ab"));
    await client.appendToStream(`${prefix}-2`, events("c"));
    assert.equal(lettersOf(await take(subscription, 3)), "abc");
    assert.ok(checkpoints.length > 0);
    assert.deepEqual(checkpoints, [...checkpoints].sort((a, b) => (a < b ? -1 : 1)));
    await subscription.unsubscribe();

    const byType = client.subscribeToAll({ fromPosition: db.START, filter: db.eventTypeFilter({ regex: "^TypeZ$" }) });
    assert.equal(lettersOf(await take(byType, 6)), "zzzzzz");
    await byType.unsubscribe();
    const own = client.subscribeToAll({ filter: db.excludeSystemEvents() });
    assert.ok((await take(own, 20)).every((e) => !e.event.type.startsWith("$")));
    await own.unsubscribe();
  },

  async "shares a stream with a group: ack, park, retry, replay"() {
    const stream = name("shared");
    const group = "group";
    await client.appendToStream(stream, events("ab"));
    const settings = db.persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: db.START, checkPointLowerBound: 1 });
    await client.createPersistentSubscriptionToStream(stream, group, settings);
    await refused(client.createPersistentSubscriptionToStream(stream, group, settings), db.PersistentSubscriptionExistsError, {
      streamName: stream, groupName: group,
    });

    const subscription = client.subscribeToPersistentSubscriptionToStream(stream, group, { bufferSize: 5 });
    const [a, b] = await take(subscription, 2);
    assert.equal(lettersOf([a, b]), "ab");
    assert.equal(a.retryCount, 0);
    await subscription.ack(a);
    await subscription.nack(db.RETRY, "again", b);
    const [again] = await take(subscription, 1);
    assert.equal(again.event.id, b.event.id);
    assert.equal(again.retryCount, 1);
    await subscription.nack(db.PARK, "no good", again);

    const info = await until(
      () => client.getPersistentSubscriptionToStreamInfo(stream, group),
      (i) => i.stats.parkedMessageCount === 1n,
    );
    assert.equal(info.eventSource, stream);
    assert.equal(info.groupName, group);
    assert.equal(info.settings.consumerStrategyName, db.ROUND_ROBIN);
    assert.equal(info.settings.startFrom, db.START);
    assert.equal(info.connections.length, 1);
    assert.notEqual(info.connections[0].connectionName, "");

    await client.replayParkedMessagesToStream(stream, group);
    const [replayed] = await take(subscription, 1);
    assert.equal(replayed.event.id, b.event.id);
    await subscription.ack(replayed);
    await client.appendToStream(stream, event("c"));
    const [c] = await take(subscription, 1);
    assert.equal(lettersOf([c]), "c");
    await subscription.ack(c);

    const groups = await client.listPersistentSubscriptionsToStream(stream);
    assert.deepEqual(groups.map((g) => g.groupName), [group]);
    assert.ok((await client.listAllPersistentSubscriptions()).some((g) => g.eventSource === stream));

    const dropped = once(subscription, "error");
    await client.updatePersistentSubscriptionToStream(stream, group, { ...settings, maxRetryCount: 3 });
    const [why] = await dropped;
    assert.ok(why instanceof db.PersistentSubscriptionDroppedError, why.stack);
    assert.equal((await client.getPersistentSubscriptionToStreamInfo(stream, group)).settings.maxRetryCount, 3);

    await client.deletePersistentSubscriptionToStream(stream, group);
    const gone = { streamName: stream, groupName: group };
    await refused(client.deletePersistentSubscriptionToStream(stream, group), db.PersistentSubscriptionDoesNotExistError, gone);
    await refused(client.getPersistentSubscriptionToStreamInfo(stream, group), db.PersistentSubscriptionDoesNotExistError);
    await refused(take(client.subscribeToPersistentSubscriptionToStream(stream, group), 1), db.PersistentSubscriptionDoesNotExistError);
  },

  async "shares the log with a group, through a filter"() {
    const prefix = name("grouped");
    const group = name("group");
    await client.createPersistentSubscriptionToAll(
      group,
      db.persistentSubscriptionToAllSettingsFromDefaults({ startFrom: db.START, consumerStrategyName: db.PINNED }),
      { filter: db.streamNameFilter({ prefixes: [prefix] }) },
    );
    const subscription = client.subscribeToPersistentSubscriptionToAll(group);
    await client.appendToStream(`${prefix}-1`, events("ab"));
    const list = await take(subscription, 2);
    assert.equal(lettersOf(list), "ab");
    await subscription.ack(...list);
    const info = await client.getPersistentSubscriptionToAllInfo(group);
    assert.equal(info.settings.startFrom, db.START);
    assert.equal(info.settings.consumerStrategyName, db.PINNED);
    await subscription.unsubscribe();
    await client.restartPersistentSubscriptionSubsystem();
    await client.replayParkedMessagesToAll(group);
    assert.ok((await client.listPersistentSubscriptionsToAll()).some((g) => g.groupName === group));
    await client.deletePersistentSubscriptionToAll(group);
  },
};

// until asks again until the answer is good.
async function until(ask, good) {
  for (let i = 0; ; i++) {
    const answer = await ask();
    if (good(answer)) return answer;
    if (i === 100) throw new Error("the answer did not become good in ten seconds");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

(async () => {
  for (const [title, step] of Object.entries(steps)) {
    try {
      await step();
    } catch (error) {
      console.error(`${title}: ${error.stack}`);
      process.exit(1);
    }
    console.log(`ok ${title}`);
  }
  await client.dispose();
  console.log(`done ${Object.keys(steps).length}`);
  process.exit(0); // the client keeps its connection
})();
