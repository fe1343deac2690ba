// One robot, driven from its bundle by Node.js: a line with the observation in (a JSON array in the schema's order),
// a line with the command out, every control period.
//
//   npm ci --ignore-scripts && node robot.mjs BUNDLE robot_0 < observations
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { InferenceSession, Tensor } from "onnxruntime-node";

const [folder, name] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));

function pinned(file) {
  const data = readFileSync(join(folder, file));
  const found = createHash("sha256").update(data).digest("hex");
  if (found !== manifest.files[file]?.sha256) throw new Error(`${file}: its sha256 is ${found}, not the manifest's`);
  return data;
}

// The schema is an entry of the model's metadata_props (field 14: key 1, value 2), which the runtime does not hand out.
function* fields(data) {
  let at = 0;
  const varint = () => {
    let value = 0, scale = 1, byte;
    do { byte = data[at++]; value += (byte & 127) * scale; scale *= 128; } while (byte > 127);
    return value;
  };
  while (at < data.length) {
    const key = varint(), wire = key & 7;
    const size = wire === 2 ? varint() : wire === 1 ? 8 : wire === 5 ? 4 : 0;
    if (wire === 0) varint();
    yield [Math.floor(key / 8), data.subarray(at, (at += size))];
  }
}

function schema(data) {
  for (const [number, entry] of fields(data)) {
    const { 1: key, 2: value } = number === 14 ? Object.fromEntries(fields(entry)) : {};
    if (key?.toString() === "fleetmix") return JSON.parse(value.toString());
  }
  throw new Error("no schema in the metadata");
}

const file = pinned(manifest.robots[name]);
const { observation: spec, decision_period, control_period, actions, schema_version } = schema(file);
if (schema_version !== 3) throw new Error(`schema version ${schema_version}; this example reads 3`);
const options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
const policy = await InferenceSession.create(file, options);
const controller = await InferenceSession.create(pinned(manifest.controller), options);
const size = spec.at(-1).offset + spec.at(-1).low.length;
const ticks = Math.round(decision_period / control_period);
const mask = new Tensor("bool", new Uint8Array(actions.length).fill(1), [1, actions.length]);
const memory = policy.inputMetadata.find((input) => input.name === "hidden_in");
let hidden = memory && new Tensor("float32", new Float32Array(memory.shape[1]), [1, memory.shape[1]]);
let maneuver, q, tick = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const sensed = Float32Array.from(JSON.parse(line));
  if (sensed.length !== size || !sensed.every(Number.isFinite)) throw new Error(`valid are ${size} finite numbers`);
  if (tick++ % ticks === 0) {
    const feeds = { observation: new Tensor("float32", sensed, [1, size]), action_mask: mask };
    const out = await policy.run(hidden ? { ...feeds, hidden_in: hidden } : feeds);
    ({ maneuver, q_values: q, hidden_out: hidden } = out);
  }
  const parts = spec.filter((field) => controller.inputNames.includes(field.name)).map(({ name, offset, shape, low }) =>
    [name, new Tensor("float32", sensed.slice(offset, offset + low.length), [1, ...shape])]);
  const { command } = await controller.run({ maneuver, ...Object.fromEntries(parts) });
  const [v, w] = command.data;
  console.log(JSON.stringify({ maneuver: Number(maneuver.data[0]), q: [...q.data], v, w }));
}
