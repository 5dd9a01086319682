{{/* This is where names, labels and what all pods share are said once. */}}

{{- define "evidock.labels" -}}
app.kubernetes.io/name: evidock
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "evidock.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Of a pod: nothing of the cluster is spoken to, nobody is root, system calls are the runtime's own list. */}}
{{- define "evidock.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "evidock.container" -}}
image: {{ include "evidock.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
envFrom:
  - configMapRef:
      name: {{ .Release.Name }}-settings
{{- end }}

{{/* Of a container; given the name of its port. Ready is not asked for while it starts: migrations may take long. */}}
{{- define "evidock.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 5
  failureThreshold: 24
livenessProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
{{- end }}

{{- define "evidock.mounts" -}}
- {name: home, mountPath: /var/lib/evidock}
- {name: tmp, mountPath: /tmp}
- {name: config, mountPath: /etc/evidock, readOnly: true}
- {name: store, mountPath: /etc/evidock-store, readOnly: true}
- {name: keys, mountPath: /run/evidock-keys, readOnly: true}
{{- end }}

{{/* Volumes of every pod; the home is given by whoever includes this. */}}
{{- define "evidock.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
- name: config
  secret: {secretName: {{ .Values.secrets.config }}, defaultMode: 0440}
- name: store
  secret: {secretName: {{ .Values.secrets.store }}, defaultMode: 0440}
- name: keys
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: keys-secret
  secret: {secretName: {{ .Values.secrets.keys }}, defaultMode: 0440}
{{- end }}

{{/* A key must belong to who uses it and be read by nobody else: a mounted Secret is root's. So it is copied, in memory. */}}
{{- define "evidock.keys" -}}
- name: keys
  image: {{ include "evidock.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [sh, -euc]
  args:
    - |
      umask 077
      for key in /secret/*.pem; do
        install -m 0600 "$key" /run/evidock-keys/
      done
      # A Secret has no folders: the local time authority, if it is used, is in it under this name.
      if [ -e /run/evidock-keys/tsa-authority.pem ]; then
        mkdir -p /run/evidock-keys/tsa
        mv /run/evidock-keys/tsa-authority.pem /run/evidock-keys/tsa/authority.pem
      fi
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  volumeMounts:
    - {name: keys-secret, mountPath: /secret, readOnly: true}
    - {name: keys, mountPath: /run/evidock-keys}
{{- end }}
