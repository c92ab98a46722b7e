import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  globalIgnores(["**/dist/", "**/coverage/", "**/assembly/", "**/*.generated.ts", "**/node_modules/"]),
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: {
      parserOptions: { projectService: true },
    },
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports" }],
      "@typescript-eslint/no-import-type-side-effects": "error",
      // Numbers in a message need no conversion; everything else does.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      // Bit-level code indexes where the bounds were just checked: `!` says so without a branch.
      "@typescript-eslint/no-non-null-assertion": "off",
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
