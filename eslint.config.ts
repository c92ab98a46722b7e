import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  globalIgnores([
    "**/dist/",
    "**/coverage/",
    "**/assembly/",
    "**/*.generated.ts",
    "**/node_modules/",
    "packages/create-cev-layer/templates/",
  ]),
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: {
      // One program over everything: packages see the sources of one another, and so each is read and checked once.
      parserOptions: { project: ["./tsconfig.lint.json"], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports" }],
      "@typescript-eslint/no-import-type-side-effects": "error",
      // There are no enums: the compiler refuses them.
      "@typescript-eslint/no-unsafe-enum-assignment": "off",
      "@typescript-eslint/no-unsafe-enum-comparison": "off",
      // Numbers in a message need no conversion; everything else does.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      // Bit-level code indexes where the bounds were just checked: `!` says so without a branch.
      "@typescript-eslint/no-non-null-assertion": "off",
      // `default: return refuse(io);` is how a layer refuses; an empty method of a collation is its whole rule.
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/consistent-indexed-object-style": "off",
      // An action may change the state of the object at hand behind the compiler's back, and what comes from a
      // disk or a plain JavaScript caller need not be what its type says.
      "@typescript-eslint/no-unnecessary-condition": "off",
      "@typescript-eslint/prefer-for-of": "off",
      "@typescript-eslint/consistent-type-definitions": "off",
      // An `async` method may have nothing to wait for: that its interface allows it is reason enough.
      "@typescript-eslint/require-await": "off",
      // Declarations for a library without types have to come along wherever the file that uses it is compiled.
      "@typescript-eslint/triple-slash-reference": [
        "error",
        { lib: "never", path: "always", types: "prefer-import" },
      ],
      // What was caught is passed on as it is.
      "@typescript-eslint/only-throw-error": ["error", { allowThrowingUnknown: true }],
      "@typescript-eslint/prefer-promise-reject-errors": ["error", { allowThrowingUnknown: true }],
      // A lower layer may be given as a literal object in a test; methods there need no `this`.
      "@typescript-eslint/unbound-method": ["error", { ignoreStatic: true }],
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Named exports only." },
      ],
    },
  },
  { files: ["packages/*/src/**/*.ts"], rules: { "no-console": "error" } },
  { files: ["packages/cli/src/**/*.ts"], rules: { "no-console": "off" } },
  { files: ["**/*.config.ts"], rules: { "no-restricted-syntax": "off" } },
);
