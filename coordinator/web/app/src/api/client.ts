// The one way to the coordinator: typed by its OpenAPI file, errors as sentences.
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from 'openledger/schema';

/** A refusal by the coordinator, in its words. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    message: string,
    /** HTTP status. */
    readonly status: number,
    /** The field at fault, if one is. */
    readonly param: string | null,
    /** The kind of error: docs/api.md lists them. */
    readonly code: string | null,
  ) {
    super(message);
  }
}

/** Schemas of the OpenAPI file, by name. */
export type Schemas = components['schemas'];

/** The error that an answer is. */
export async function refusal(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { error: { message: string; param?: string | null; code?: string | null } };
    return new ApiError(error.message, response.status, error.param ?? null, error.code ?? null);
  } catch {
    return new ApiError(`The coordinator answered ${response.status}: ${text.slice(0, 200)}`, response.status, null, null);
  }
}

const throwing: Middleware = {
  async onResponse({ response }) {
    if (!response.ok) throw await refusal(response);
  },
  onError({ error }) {
    if (error instanceof ApiError) return error;
    return new ApiError('The coordinator does not answer. Is it running? This page tries again by itself.', 0, null, 'unavailable');
  },
};

export const api = createClient<paths>({ baseUrl: '/' });
api.use(throwing);

/** The data of an answer; refusals have been thrown before. */
export async function data<T>(answer: Promise<{ data?: T }>): Promise<T> {
  const { data } = await answer;
  if (data === undefined) throw new ApiError('The coordinator answered nothing.', 0, null, null);
  return data;
}
