/** A whole number in a text, brought within bounds; `usual` where there is none. */
export function wholeNumber(text: string, low: number, high: number, usual: number): number {
  const number = text.trim() === '' ? NaN : Number(text);
  return Math.min(Math.max(low, Number.isFinite(number) ? Math.floor(number) : usual), high);
}
