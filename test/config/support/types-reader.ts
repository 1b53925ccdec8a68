/** Reads interfaces and type aliases out of a source file, as far as `src/config/types.ts` goes. */

/** A type, with names looked up. `literals` are unions of strings, `integer64` a number or a bigint. */
export type Shape =
  | { kind: "string" | "number" | "bigint" | "integer64" | "boolean" }
  | { kind: "literals"; values: string[] }
  | { kind: "array" | "map"; of: Shape }
  | { kind: "object"; members: Record<string, { optional: boolean; shape: Shape }> };

/** Reads the type `name`. @throws {Error} where the source goes beyond what is understood */
export function readType(source: string, name: string): Shape {
  const tokens = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "").match(/"[^"]*"|\w+|\[\]|[^\s\w]/g) as string[];
  return new Reader(tokens).named(name);
}

class Reader {
  #at = 0;

  constructor(readonly tokens: string[]) {}

  named(name: string): Shape {
    const declared = this.tokens.findIndex(
      (token, index) => token === name && ["interface", "type"].includes(this.tokens[index - 1] ?? ""),
    );
    if (declared < 0) throw new Error(`no type ${name}`);
    const back = this.#at;
    this.#at = declared + 1;
    if (this.#peek() === "=") this.#at++;
    const shape = this.#union();
    this.#at = back;
    return shape;
  }

  #union(): Shape {
    if (this.#peek() === "|") this.#at++;
    const members = [this.#postfix()];
    while (this.#peek() === "|") {
      this.#at++;
      members.push(this.#postfix());
    }
    if (members.length === 1) return members[0] as Shape;
    if (members.map(({ kind }) => kind).join() === "number,bigint") return { kind: "integer64" };
    return { kind: "literals", values: members.flatMap((member) => (member.kind === "literals" ? member.values : [])) };
  }

  #postfix(): Shape {
    let shape = this.#primary();
    while (this.#peek() === "[]") {
      this.#at++;
      shape = { kind: "array", of: shape };
    }
    return shape;
  }

  #primary(): Shape {
    const token = this.#take();
    if (token === "string" || token === "number" || token === "bigint" || token === "boolean") return { kind: token };
    if (token.startsWith('"')) return { kind: "literals", values: [JSON.parse(token)] };
    if (token === "{") return this.#object();
    if (token === "Record") {
      this.#expect("<", "string", ",");
      const of = this.#union();
      this.#expect(">");
      return { kind: "map", of };
    }
    return this.named(token);
  }

  #object(): Shape {
    const members: Record<string, { optional: boolean; shape: Shape }> = {};
    while (this.#peek() !== "}") {
      const name = this.#take();
      const optional = this.#peek() === "?";
      if (optional) this.#at++;
      this.#expect(":");
      members[name] = { optional, shape: this.#union() };
      if (this.#peek() === ";") this.#at++;
    }
    this.#at++;
    return { kind: "object", members };
  }

  #peek(): string {
    return this.tokens[this.#at] ?? "";
  }

  #take(): string {
    return this.tokens[this.#at++] ?? "";
  }

  #expect(...wanted: string[]): void {
    for (const token of wanted) {
      const found = this.#take();
      if (found !== token) throw new Error(`expected ${token}, found ${found}`);
    }
  }
}
