{{- define "emrys-pipelines.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "emrys-pipelines.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "emrys-pipelines.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "emrys-pipelines.labels" -}}
app.kubernetes.io/name: {{ include "emrys-pipelines.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: emrys
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Reference of an image by its kind. Takes {root, kind}. */}}
{{- define "emrys-pipelines.image" -}}
{{- $image := index .root.Values.images .kind -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "emrys-pipelines.runner" -}}
{{- $account := .Values.serviceAccounts.runner -}}
{{- if $account.create -}}
{{- default (printf "%s-runner" (include "emrys-pipelines.fullname" .)) $account.name -}}
{{- else -}}
{{- default "pipeline-runner" $account.name -}}
{{- end -}}
{{- end -}}

{{- define "emrys-pipelines.scheduler" -}}
{{- $account := .Values.serviceAccounts.scheduler -}}
{{- if $account.create -}}
{{- default (printf "%s-scheduler" (include "emrys-pipelines.fullname" .)) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{/* The configuration file of a pipeline: its steps with what their GPU type says. Takes {root, name, pipeline}. */}}
{{- define "emrys-pipelines.config" -}}
{{- $steps := dict -}}
{{- $types := .root.Values.gpuTypes -}}
{{- $pipeline := .name -}}
{{- range $name, $step := .pipeline.steps -}}
{{- $one := dict "cpu" $step.cpu "memory" $step.memory -}}
{{- $selector := deepCopy (default dict $step.nodeSelector) -}}
{{- $tolerations := default list $step.tolerations -}}
{{- if $step.gpus -}}
{{- $type := default "" $step.gpuType -}}
{{- if not (hasKey $types $type) -}}
{{- fail (printf "pipelines.%s.steps.%s.gpuType is %q, and gpuTypes has no such type; it has %s" $pipeline $name $type (keys $types | sortAlpha | join ", ")) -}}
{{- end -}}
{{- $gpu := index $types $type -}}
{{- $_ := set $one "gpus" ($step.gpus | int) -}}
{{- $_ := set $one "accelerator" $gpu.resource -}}
{{- $selector = merge $selector (deepCopy (default dict $gpu.nodeSelector)) -}}
{{- $tolerations = concat $tolerations (default list $gpu.tolerations) -}}
{{- end -}}
{{- if $selector }}{{ $_ := set $one "node_selector" $selector }}{{ end -}}
{{- if $tolerations }}{{ $_ := set $one "tolerations" $tolerations }}{{ end -}}
{{- $_ := set $steps $name $one -}}
{{- end -}}
{{- $images := dict -}}
{{- range $kind := keys .root.Values.images -}}
{{- $_ := set $images $kind (include "emrys-pipelines.image" (dict "root" $.root "kind" $kind)) -}}
{{- end -}}
{{- $config := dict "images" $images "steps" $steps -}}
{{- with .pipeline.parameters }}{{ $_ := set $config "parameters" . }}{{ end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Processors in thousandths. */}}
{{- define "emrys-pipelines.milli" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}
{{- trimSuffix "m" $text | int -}}
{{- else -}}
{{- round (mulf (float64 $text) 1000) 0 | int -}}
{{- end -}}
{{- end -}}

{{/* Memory in Mi, from Mi, Gi or Ti. */}}
{{- define "emrys-pipelines.mebi" -}}
{{- $text := toString . -}}
{{- if hasSuffix "Ti" $text -}}
{{- mul (trimSuffix "Ti" $text | int) 1048576 -}}
{{- else if hasSuffix "Gi" $text -}}
{{- mul (trimSuffix "Gi" $text | int) 1024 -}}
{{- else -}}
{{- trimSuffix "Mi" $text | int -}}
{{- end -}}
{{- end -}}
