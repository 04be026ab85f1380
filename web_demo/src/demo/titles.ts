const RUNTIMES: Readonly<Record<string, string>> = {
  'ort-webgpu': 'ONNX Runtime · WebGPU',
  'ort-wasm': 'ONNX Runtime · Wasm',
  'tfjs-webgpu': 'TensorFlow.js · WebGPU',
  'tfjs-webgl': 'TensorFlow.js · WebGL',
  'tfjs-wasm': 'TensorFlow.js · Wasm',
  'tfjs-cpu': 'TensorFlow.js · JavaScript',
};

const ARCHITECTURES: Readonly<Record<string, string>> = {
  dcgan: 'DCGAN',
  mlp: 'Dense GAN',
  progressive: 'Progressive GAN',
  lucidrains: 'StyleGAN2 (lucidrains)',
  stylegan: 'StyleGAN',
  stylegan2: 'StyleGAN2',
  stylegan3: 'StyleGAN3',
};

/** Name of a runtime as people read it. */
export function runtimeTitle(name: string): string {
  return RUNTIMES[name] ?? name;
}

/** Name of an architecture as people write it. */
export function architectureTitle(name: string): string {
  return ARCHITECTURES[name] ?? name;
}
