/** What is asked for several times at once, and made once. */

/** The value of a key: made by the first who asks for it. */
export function memoized<K, V>(map: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  // It is waited for where it is used.
  made.catch(() => {});
  map.set(key, made);
  return made;
}
