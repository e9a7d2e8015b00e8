/**
 * A stack's environment for a shell that sources it: the variables, and the AWS CLI with the
 * stack's endpoints. Its versions before 1.29 and 2.13 do not read them from the environment, and
 * later ones of version 1 not for SQS.
 */
export function shellFile(environment: Readonly<Record<string, string>>): string {
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`);
  return `${exports.join('')}aws() {
  case $1 in
    lambda | logs) command aws --endpoint-url "$AWS_ENDPOINT_URL_LAMBDA" "$@" ;;
    stepfunctions) command aws --endpoint-url "$AWS_ENDPOINT_URL_SFN" "$@" ;;
    *) command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@" ;;
  esac
}
`;
}
