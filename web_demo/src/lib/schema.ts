/** What is used of JSON Schema: that of the manifest has no more. */
export interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
}

/**
 * Where a value is not as a schema says, such as `spec.resolution`; null where all of it is. Fields that the schema does
 * not know are let pass: a later version may have them.
 */
export function misfitOf(value: unknown, schema: Schema): string | null {
  return find(value, schema, '', schema.$defs ?? {});
}

function find(value: unknown, schema: Schema, place: string, known: NonNullable<Schema['$defs']>): string | null {
  if (schema.$ref !== undefined) return find(value, known[schema.$ref.split('/').at(-1)!]!, place, known);
  if (schema.anyOf !== undefined) {
    const misfits = schema.anyOf.map((one) => find(value, one, place, known));
    // The deepest tells most: of `Graph or null` it is the field of the graph.
    return misfits.includes(null) ? null : misfits.reduce((a, b) => (b!.length > a!.length ? b : a))!;
  }
  if (!isOfType(value, schema.type) || !isWithin(value, schema)) return place || 'the whole';
  if (Array.isArray(value)) {
    return first(value, (item, at) => {
      const of = schema.prefixItems?.[at] ?? schema.items;
      return of ? find(item, of, `${place}[${at}]`, known) : null;
    });
  }
  if (typeof value !== 'object' || value === null) return null;
  const missing = schema.required?.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return join(place, missing);
  const { properties = {}, additionalProperties: other } = schema;
  return first(Object.entries(value), ([name, item]) => {
    const of = Object.hasOwn(properties, name) ? properties[name] : typeof other === 'object' ? other : undefined;
    return of ? find(item, of, join(place, name), known) : null;
  });
}

function isOfType(value: unknown, type: string | undefined): boolean {
  switch (type) {
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return Number.isFinite(value); // JSON can say 1e999
    case 'null':
      return value === null;
    default:
      return type === undefined || typeof value === type;
  }
}

function isWithin(value: unknown, schema: Schema): boolean {
  const { minimum = -Infinity, maximum = Infinity, minLength = 0, minItems = 0, prefixItems, pattern } = schema;
  if (schema.const !== undefined && value !== schema.const) return false;
  if (schema.enum !== undefined && !schema.enum.includes(value)) return false;
  if (typeof value === 'number') return value >= minimum && value <= maximum;
  if (typeof value === 'string') return value.length >= minLength && new RegExp(pattern ?? '').test(value);
  return !Array.isArray(value) || (value.length >= minItems && value.length <= (prefixItems?.length ?? Infinity));
}

function first<T>(items: readonly T[], find: (item: T, at: number) => string | null): string | null {
  for (const [at, item] of items.entries()) {
    const found = find(item, at);
    if (found !== null) return found;
  }
  return null;
}

function join(place: string, name: string): string {
  return place === '' ? name : `${place}.${name}`;
}
