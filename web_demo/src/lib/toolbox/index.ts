/**
 * The latent toolbox: pure functions on latents, which need no runtime. `ganexport.latents` says the same in Python.
 *
 * Where latents meet, they have equally many pictures, or one of them has one picture, which then serves all. What they
 * give is reckoned in float64 and rounded once.
 */
export { lerp, slerp, walk, type WalkOptions } from './blend';
export { arithmetic, classSweep, mixStyles, type Move, moveAlong, sweepCoordinate } from './edit';
export { concatLatents, pickRows, zLatents } from './rows';
