// One contestant in a page of its own: `load(job)`, then `run()` again and again. Called by benchmarks/browser.py.

let draw = null;

/** Fetch what a contestant needs, make it ready and draw once; seconds of each. */
globalThis.load = async ({ runtime, graphs, feeds }) => {
  const started = performance.now();
  const files = await fetchAll(graphs);
  const fetched = performance.now();
  const values = Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]),
  );
  const stages = await (runtime === 'ort-wasm' ? openOrt : openTfjs)(graphs, files);
  draw = () => inTurn(stages, values);
  const loaded = performance.now();
  const picture = await draw();
  const first = (performance.now() - loaded) / 1000;
  return {
    fetch: (fetched - started) / 1000,
    load: (loaded - fetched) / 1000,
    first,
    bytes: [...files.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
    shape: [...picture.shape],
    data: toBase64(picture.data),
  };
};

/** Draw once; returns seconds. */
globalThis.run = async () => {
  const started = performance.now();
  await draw();
  return (performance.now() - started) / 1000;
};

async function inTurn(stages, values) {
  let known = values;
  for (const { inputs, outputs, run } of stages) {
    known = { ...known, ...(await run(known, inputs, outputs)) };
  }
  return known.image;
}

async function fetchAll(graphs) {
  const paths = graphs.flatMap(({ file, weight_files: weights }) => [file, ...weights]);
  const files = new Map();
  for (const path of new Set(paths)) {
    const response = await fetch(`/models/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    files.set(path, await response.arrayBuffer());
  }
  return files;
}

/** What later stages need of a stage, and the picture: not the pictures on the way. */
function wanted(graphs, index) {
  const later = new Set(graphs.slice(index + 1).flatMap(({ inputs }) => inputs.map(({ name }) => name)));
  return graphs[index].outputs.map(({ name }) => name).filter((name) => name === 'image' || later.has(name));
}

async function openOrt(graphs, files) {
  const ort = await import('/ort/ort.wasm.min.mjs');
  ort.env.wasm.wasmPaths = '/ort/';
  ort.env.wasm.numThreads = 1;
  const stages = [];
  for (const [i, graph] of graphs.entries()) {
    const session = await ort.InferenceSession.create(new Uint8Array(files.get(graph.file)), {
      executionProviders: ['wasm'],
      externalData: graph.weight_files.map((path) => ({
        path: path.slice(path.lastIndexOf('/') + 1),
        data: new Uint8Array(files.get(path)),
      })),
    });
    stages.push({
      inputs: graph.inputs.map(({ name }) => name),
      outputs: wanted(graphs, i),
      async run(known, inputs, outputs) {
        const given = inputs.map((name) => [name, new ort.Tensor('float32', known[name].data, known[name].shape)]);
        const results = await session.run(Object.fromEntries(given), outputs);
        return Object.fromEntries(outputs.map((name) => [name, { shape: results[name].dims, data: results[name].data }]));
      },
    });
  }
  return stages;
}

async function openTfjs(graphs, files) {
  for (const source of ['tfjs-core/dist/tf-core', 'tfjs-converter/dist/tf-converter']) await script(source);
  await script('tfjs-backend-wasm/dist/tf-backend-wasm');
  const { tf } = globalThis;
  tf.enableProdMode();
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  tf.wasm.setWasmPaths('/tfjs/tfjs-backend-wasm/dist/');
  if (!(await tf.setBackend('wasm'))) throw new Error('TF.js has no wasm backend here');
  const stages = [];
  for (const [i, graph] of graphs.entries()) {
    const json = JSON.parse(new TextDecoder().decode(files.get(graph.file)));
    const { modelTopology, signature, modelInitializer, initializerSignature } = json;
    const model = await tf.loadGraphModel(
      tf.io.fromMemory({
        modelTopology,
        signature,
        modelInitializer,
        initializerSignature,
        weightSpecs: json.weightsManifest.flatMap(({ weights }) => weights),
        weightData: graph.weight_files.map((path) => files.get(path)),
      }),
    );
    const [prepared] = Object.keys(initializerSignature?.outputs ?? {});
    if (prepared !== undefined) model.execute({}, prepared); // now, or the first run would do it
    stages.push({
      inputs: graph.inputs.map(({ name }) => name),
      outputs: wanted(graphs, i),
      async run(known, inputs, outputs) {
        const given = inputs.map((name) => [name, tf.tensor(known[name].data, known[name].shape, 'float32')]);
        const results = [model.execute(Object.fromEntries(given), outputs)].flat(); // one output comes alone
        const made = {};
        for (const [j, name] of outputs.entries()) {
          made[name] = { shape: results[j].shape, data: Float32Array.from(await results[j].data()) };
        }
        for (const tensor of [...given.map(([, tensor]) => tensor), ...results]) tensor.dispose();
        return made;
      },
    });
  }
  return stages;
}

function script(source) {
  return new Promise((resolve, reject) => {
    const element = document.createElement('script');
    element.src = `/tfjs/${source}.min.js`;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${source} does not load`));
    document.head.append(element);
  });
}

function toBase64(data) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let text = '';
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}
