import { GanExportError } from './errors';

const STATE_LENGTH = 624;
const SHIFT = 397;

/**
 * The random numbers of `numpy.random.RandomState(seed)`: Mersenne twister MT19937, and normal ones by Marsaglia's
 * polar method. Rounded to float32 they have numpy's bits.
 */
export class RandomState {
  readonly #state = new Uint32Array(STATE_LENGTH);
  #position = STATE_LENGTH;
  #secondNormal: number | undefined;

  /** @param seed integer from 0 to 2**32 - 1 */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new GanExportError('option', `seed must be an integer from 0 to 4294967295, found ${seed}`);
    }
    let word = seed;
    for (let i = 0; i < STATE_LENGTH; i++) {
      this.#state[i] = word;
      word = (Math.imul(1812433253, word ^ (word >>> 30)) + i + 1) >>> 0;
    }
  }

  /** The next `count` numbers of the standard normal distribution. */
  randn(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => this.#nextNormal());
  }

  /** The next `count` numbers that are even on [low, high). */
  uniform(low: number, high: number, count: number): Float32Array {
    return Float32Array.from({ length: count }, () => low + (high - low) * this.#nextDouble());
  }

  #nextNormal(): number {
    if (this.#secondNormal !== undefined) {
      const second = this.#secondNormal;
      this.#secondNormal = undefined;
      return second;
    }
    let x: number;
    let y: number;
    let square: number;
    do {
      x = 2 * this.#nextDouble() - 1;
      y = 2 * this.#nextDouble() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    this.#secondNormal = factor * x;
    return factor * y;
  }

  /** 53 random bits, on [0, 1). */
  #nextDouble(): number {
    const high = this.#nextWord() >>> 5; // 27 bits
    const low = this.#nextWord() >>> 6; // 26 bits
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  #nextWord(): number {
    if (this.#position === STATE_LENGTH) this.#refill();
    let word = this.#state[this.#position++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    word ^= word >>> 18;
    return word >>> 0;
  }

  #refill(): void {
    const state = this.#state;
    for (let i = 0; i < STATE_LENGTH; i++) {
      const joined = (state[i]! & 0x80000000) | (state[(i + 1) % STATE_LENGTH]! & 0x7fffffff);
      const twist = joined & 1 ? 0x9908b0df : 0;
      state[i] = state[(i + SHIFT) % STATE_LENGTH]! ^ (joined >>> 1) ^ twist;
    }
    this.#position = 0;
  }
}
