// Pods (core/v1).
export const podShapes = `
Pod
  string      apiVersion kind
  ObjectMeta  metadata
  PodSpec     spec
  PodStatus   status

PodTemplateSpec
  ObjectMeta  metadata
  PodSpec     spec

PodSpec
  [Container]:name              containers! initContainers
  [EphemeralContainer]:name     ephemeralContainers
  [Volume]:name+retainKeys      volumes
  string                        restartPolicy dnsPolicy nodeName hostname subdomain serviceAccountName serviceAccount
  string                        schedulerName priorityClassName preemptionPolicy runtimeClassName hostnameOverride
  int64                         terminationGracePeriodSeconds activeDeadlineSeconds
  int32                         priority
  {string}                      nodeSelector
  bool                          automountServiceAccountToken hostNetwork hostPID hostIPC hostUsers
  bool                          shareProcessNamespace enableServiceLinks setHostnameAsFQDN
  PodSecurityContext            securityContext
  [LocalObjectReference]:name   imagePullSecrets
  Affinity                      affinity
  [Toleration]                  tolerations
  [HostAlias]:ip                hostAliases
  PodDNSConfig                  dnsConfig
  [PodReadinessGate]            readinessGates
  {quantity}                    overhead
  [TopologySpreadConstraint]:topologyKey  topologySpreadConstraints
  PodOS                         os
  [PodSchedulingGate]:name      schedulingGates
  [any]:name+retainKeys         resourceClaims
  ResourceRequirements          resources
  any                           workloadRef

PodOS
  string  name!

PodSchedulingGate
  string  name!

PodReadinessGate
  string  conditionType!

HostAlias
  string    ip!
  [string]  hostnames

PodDNSConfig
  [string]              nameservers searches
  [PodDNSConfigOption]  options

PodDNSConfigOption
  string  name value

TopologySpreadConstraint
  int32          maxSkew! minDomains
  string         topologyKey! whenUnsatisfiable! nodeAffinityPolicy nodeTaintsPolicy
  LabelSelector  labelSelector
  [string]       matchLabelKeys

PodSecurityContext
  SELinuxOptions  seLinuxOptions
  any             windowsOptions
  int64           runAsUser runAsGroup fsGroup
  bool            runAsNonRoot
  [int64]         supplementalGroups
  string          supplementalGroupsPolicy fsGroupChangePolicy seLinuxChangePolicy
  [Sysctl]        sysctls
  SeccompProfile  seccompProfile appArmorProfile

Sysctl
  string  name! value!

SELinuxOptions
  string  user role type level

SeccompProfile
  string  type! localhostProfile

Affinity
  NodeAffinity     nodeAffinity
  PodAffinity      podAffinity
  PodAffinity      podAntiAffinity

NodeAffinity
  NodeSelector               requiredDuringSchedulingIgnoredDuringExecution
  [PreferredSchedulingTerm]  preferredDuringSchedulingIgnoredDuringExecution

NodeSelector
  [NodeSelectorTerm]  nodeSelectorTerms!

PreferredSchedulingTerm
  int32             weight!
  NodeSelectorTerm  preference!

NodeSelectorTerm
  [NodeSelectorRequirement]  matchExpressions matchFields

NodeSelectorRequirement
  string    key! operator!
  [string]  values

PodAffinity
  [PodAffinityTerm]          requiredDuringSchedulingIgnoredDuringExecution
  [WeightedPodAffinityTerm]  preferredDuringSchedulingIgnoredDuringExecution

WeightedPodAffinityTerm
  int32            weight!
  PodAffinityTerm  podAffinityTerm!

PodAffinityTerm
  LabelSelector  labelSelector namespaceSelector
  [string]       namespaces matchLabelKeys mismatchLabelKeys
  string         topologyKey!

Toleration
  string  key operator value effect
  int64   tolerationSeconds

Container
  string                       name! image workingDir imagePullPolicy restartPolicy
  string                       terminationMessagePath terminationMessagePolicy
  [string]                     command args
  [ContainerPort]:containerPort  ports
  [EnvFromSource]              envFrom
  [EnvVar]:name                env
  ResourceRequirements         resources
  [any]                        resizePolicy restartPolicyRules
  [VolumeMount]:mountPath      volumeMounts
  [VolumeDevice]:devicePath    volumeDevices
  Probe                        livenessProbe readinessProbe startupProbe
  Lifecycle                    lifecycle
  SecurityContext              securityContext
  bool                         stdin stdinOnce tty

EphemeralContainer
  string                       name! image workingDir imagePullPolicy restartPolicy targetContainerName
  string                       terminationMessagePath terminationMessagePolicy
  [string]                     command args
  [ContainerPort]:containerPort  ports
  [EnvFromSource]              envFrom
  [EnvVar]:name                env
  ResourceRequirements         resources
  [any]                        resizePolicy restartPolicyRules
  [VolumeMount]:mountPath      volumeMounts
  [VolumeDevice]:devicePath    volumeDevices
  Probe                        livenessProbe readinessProbe startupProbe
  Lifecycle                    lifecycle
  SecurityContext              securityContext
  bool                         stdin stdinOnce tty

ContainerPort
  int32   containerPort! hostPort
  string  name protocol hostIP

EnvFromSource
  string               prefix
  OptionalReference    configMapRef secretRef

OptionalReference
  string  name
  bool    optional

EnvVar
  string        name! value
  EnvVarSource  valueFrom

EnvVarSource
  ObjectFieldSelector    fieldRef
  ResourceFieldSelector  resourceFieldRef
  KeySelector            configMapKeyRef secretKeyRef
  any                    fileKeyRef

ObjectFieldSelector
  string  apiVersion fieldPath!

ResourceFieldSelector
  string    containerName resource!
  quantity  divisor

KeySelector
  string  name key!
  bool    optional

ResourceRequirements
  {quantity}  limits requests
  [any]       claims

VolumeMount
  string  name! mountPath! subPath subPathExpr mountPropagation recursiveReadOnly
  bool    readOnly

VolumeDevice
  string  name! devicePath!

Probe
  ExecAction       exec
  HTTPGetAction    httpGet
  TCPSocketAction  tcpSocket
  GRPCAction       grpc
  int32            initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold
  int64            terminationGracePeriodSeconds

ExecAction
  [string]  command

HTTPGetAction
  string        path host scheme
  intOrString   port!
  [HTTPHeader]  httpHeaders

HTTPHeader
  string  name! value!

TCPSocketAction
  intOrString  port!
  string       host

GRPCAction
  int32   port!
  string  service

SleepAction
  int64  seconds!

Lifecycle
  LifecycleHandler  postStart preStop
  string            stopSignal

LifecycleHandler
  ExecAction       exec
  HTTPGetAction    httpGet
  TCPSocketAction  tcpSocket
  SleepAction      sleep

SecurityContext
  Capabilities    capabilities
  bool            privileged runAsNonRoot readOnlyRootFilesystem allowPrivilegeEscalation
  SELinuxOptions  seLinuxOptions
  any             windowsOptions
  int64           runAsUser runAsGroup
  string          procMount
  SeccompProfile  seccompProfile appArmorProfile

Capabilities
  [string]  add drop

PodStatus
  string                  phase message reason nominatedNodeName hostIP podIP qosClass resize
  int64                   observedGeneration
  [PodCondition]:type     conditions
  [HostIP]:ip             hostIPs
  [PodIP]:ip              podIPs
  time                    startTime
  [ContainerStatus]       initContainerStatuses containerStatuses ephemeralContainerStatuses
  [any]:name              resourceClaimStatuses
  any                     extendedResourceClaimStatus
  {quantity}              allocatedResources
  ResourceRequirements    resources

PodCondition
  string  type! status! reason message
  time    lastProbeTime lastTransitionTime
  int64   observedGeneration

HostIP
  string  ip!

PodIP
  string  ip!

ContainerStatus
  string          name! image! imageID! containerID stopSignal
  ContainerState  state lastState
  bool            ready! started
  int32           restartCount!
  {quantity}      allocatedResources
  ResourceRequirements  resources
  [any]           volumeMounts allocatedResourcesStatus
  any             user

ContainerState
  ContainerStateWaiting     waiting
  ContainerStateRunning     running
  ContainerStateTerminated  terminated

ContainerStateWaiting
  string  reason message

ContainerStateRunning
  time  startedAt

ContainerStateTerminated
  int32   exitCode! signal
  string  reason message containerID
  time    startedAt finishedAt
`;
