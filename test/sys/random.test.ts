import { expect, it } from "vitest";
import { randomNumber } from "../../src/sys/random.ts";

it("a random number is one of many between 0 and 1", () => {
  const numbers = Array.from({ length: 1000 }, randomNumber);
  expect(new Set(numbers).size).toBe(1000);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  const mean = numbers.reduce((sum, number) => sum + number, 0) / 1000;
  // Ten standard deviations.
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.1);
});
