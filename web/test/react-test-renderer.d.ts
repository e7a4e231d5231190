/** Declarations of what the tests use of react-test-renderer, which brings none. */
declare module "react-test-renderer" {
  /** Runs work, and everything that it sets off in components. */
  export function act(work: () => unknown): Promise<void>;
  /** Renders an element. */
  export function create(element: unknown): { update(element: unknown): void; unmount(): void };
}
