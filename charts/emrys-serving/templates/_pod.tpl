{{/* A release: deployment with its pods. Takes {root, track, release, replicas}; release is {image, repository}. */}}
{{- define "emrys-serving.deployment" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $repository := .release.repository -}}
{{- $copied := or (eq $repository.source "gcs") (and (eq $repository.source "image") (eq $repository.image.mount "copy")) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "emrys-serving.fullname" $root }}-{{ .track }}
  labels:
    {{- include "emrys-serving.labels" $root | nindent 4 }}
    emrys.dev/track: {{ .track }}
spec:
  {{- if not (and (eq .track "stable") $values.autoscaling.enabled) }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate:
      # A new pod is ready before an old one goes.
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "emrys-serving.selector" $root | nindent 6 }}
      emrys.dev/track: {{ .track }}
  template:
    metadata:
      labels:
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "emrys-serving.selector" $root | nindent 8 }}
        emrys.dev/track: {{ .track }}
        emrys.dev/traffic: {{ .traffic }}
      annotations:
        kubectl.kubernetes.io/default-container: triton
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "emrys-serving.serviceAccount" $root }}
      # Triton asks nothing of Kubernetes. (Workload identity goes through the metadata server, not through this token.)
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with $values.imagePullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      terminationGracePeriodSeconds: {{ add $values.server.drainSeconds $values.server.exitSeconds 15 }}
      securityContext:
        {{- include "emrys-serving.podSecurity" $root | nindent 8 }}
      {{- if $copied }}
      initContainers:
        {{- include "emrys-serving.fetch" . | nindent 8 }}
      {{- end }}
      containers:
        - name: triton
          image: {{ include "emrys-serving.serverImage" . }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          {{- if $values.server.command }}
          command:
            {{- toYaml $values.server.command | nindent 12 }}
          {{- else }}
          # Answers HTTP and starts Triton, whose own HTTP endpoint takes memory for whatever shape a request claims.
          command: [python3, -P, -m, emrys.components.serving.http_endpoint, tritonserver]
          {{- end }}
          args:
            {{- if $values.server.args }}
            {{- toYaml $values.server.args | nindent 12 }}
            {{- else }}
            - --model-repository={{ include "emrys-serving.models" $repository }}
            - --http-address=0.0.0.0
            - --http-port={{ $values.ports.http }}
            - --grpc-address=0.0.0.0
            - --grpc-port={{ $values.ports.grpc }}
            - --metrics-address=0.0.0.0
            - --metrics-port={{ $values.ports.metrics }}
            - --allow-gpu-metrics={{ eq $values.device.kind "gpu" }}
            - --model-control-mode=none
            - --exit-on-error=true
            # Every model is described in full; without this each one is started twice, once to ask it.
            - --disable-auto-complete-config
            - --exit-timeout-secs={{ $values.server.exitSeconds }}
            {{- end }}
            {{- with $values.server.extraArgs }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          env:
            # The root is read-only: whoever writes into its home, writes into the volume.
            - name: HOME
              value: /tmp
            - name: TF_CPP_MIN_LOG_LEVEL
              value: "2"
            # The models' folder may be read-only, and nothing is gained by writing there.
            - name: PYTHONDONTWRITEBYTECODE
              value: "1"
            {{- range $values.server.env }}
            - name: {{ .name }}
              {{- if .secret }}
              valueFrom:
                secretKeyRef:
                  name: {{ .secret }}
                  key: {{ .key }}
              {{- else }}
              value: {{ .value | quote }}
              {{- end }}
            {{- end }}
          ports:
            - name: http
              containerPort: {{ $values.ports.http }}
            - name: grpc
              containerPort: {{ $values.ports.grpc }}
            - name: metrics
              containerPort: {{ $values.ports.metrics }}
          startupProbe:
            httpGet:
              path: /v2/health/ready
              port: http
            periodSeconds: {{ $values.probes.startup.periodSeconds }}
            timeoutSeconds: 2
            failureThreshold: {{ $values.probes.startup.failureThreshold }}
          readinessProbe:
            httpGet:
              path: /v2/health/ready
              port: http
            periodSeconds: {{ $values.probes.readiness.periodSeconds }}
            timeoutSeconds: 2
            failureThreshold: {{ $values.probes.readiness.failureThreshold }}
          livenessProbe:
            httpGet:
              path: /v2/health/live
              port: http
            periodSeconds: {{ $values.probes.liveness.periodSeconds }}
            timeoutSeconds: 5
            failureThreshold: {{ $values.probes.liveness.failureThreshold }}
          lifecycle:
            preStop:
              exec:
                command: [sleep, {{ $values.server.drainSeconds | quote }}]
          resources:
            requests:
              {{- toYaml $values.resources.requests | nindent 14 }}
              {{- if eq $values.device.kind "gpu" }}
              {{ $values.device.resource }}: {{ $values.device.gpus }}
              {{- end }}
            limits:
              {{- toYaml $values.resources.limits | nindent 14 }}
              {{- if eq $values.device.kind "gpu" }}
              {{ $values.device.resource }}: {{ $values.device.gpus }}
              {{- end }}
          securityContext:
            {{- include "emrys-serving.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            - name: repository
              mountPath: /repository
              readOnly: true
            - name: tmp
              mountPath: /tmp
            - name: shm
              mountPath: /dev/shm
      volumes:
        {{- include "emrys-serving.volumes" . | nindent 8 }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- if $values.topologySpreadConstraints }}
        {{- toYaml $values.topologySpreadConstraints | nindent 8 }}
        {{- else }}
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "emrys-serving.selector" $root | nindent 14 }}
              emrys.dev/track: {{ $.track }}
        {{- end }}
        {{- end }}
{{- end -}}

{{/* The container that brings the models before Triton starts. */}}
{{- define "emrys-serving.fetch" -}}
{{- $values := .root.Values -}}
{{- $repository := .release.repository -}}
- name: models
  {{- if eq $repository.source "gcs" }}
  image: {{ include "emrys-serving.serverImage" . }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  command: [python3, -m, emrys.components.serving.sync]
  args:
    - {{ $repository.gcs.url }}
    - /repository/models
  env:
    - name: HOME
      value: /tmp
    {{- if $repository.gcs.credentials.secret }}
    - name: GOOGLE_APPLICATION_CREDENTIALS
      value: /credentials/{{ $repository.gcs.credentials.key }}
    {{- end }}
  {{- else }}
  image: {{ include "emrys-serving.image" $repository.image }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  command: [cp]
  # Right also when it runs a second time: the contents, not the folder.
  args: [-R, {{ $repository.image.path }}/., /repository/models]
  {{- end }}
  resources:
    requests:
      cpu: 250m
      memory: 512Mi
    limits:
      cpu: "1"
      memory: 512Mi
  securityContext:
    {{- include "emrys-serving.containerSecurity" .root | nindent 4 }}
  volumeMounts:
    - name: repository
      mountPath: /repository
    - name: tmp
      mountPath: /tmp
    {{- if and (eq $repository.source "gcs") $repository.gcs.credentials.secret }}
    - name: credentials
      mountPath: /credentials
      readOnly: true
    {{- end }}
{{- end -}}

{{- define "emrys-serving.volumes" -}}
{{- $repository := .release.repository -}}
- name: repository
  {{- if eq $repository.source "claim" }}
  persistentVolumeClaim:
    claimName: {{ $repository.claim.name }}
    readOnly: true
  {{- else if eq $repository.source "gcs" }}
  emptyDir:
    sizeLimit: {{ $repository.gcs.size }}
  {{- else if eq $repository.image.mount "volume" }}
  image:
    reference: {{ include "emrys-serving.image" $repository.image }}
    pullPolicy: {{ .root.Values.image.pullPolicy }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ $repository.image.size }}
  {{- end }}
{{- if and (eq $repository.source "gcs") $repository.gcs.credentials.secret }}
- name: credentials
  secret:
    secretName: {{ $repository.gcs.credentials.secret }}
    defaultMode: 0440
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .root.Values.server.temporary }}
- name: shm
  emptyDir:
    medium: Memory
    sizeLimit: {{ .root.Values.server.sharedMemory }}
{{- end -}}
