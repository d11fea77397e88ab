// Volumes (core/v1). Sources that no node of ours can mount are kept as they are.
export const volumeShapes = `
Volume
  string                 name!
  HostPathSource         hostPath
  EmptyDirSource         emptyDir
  SecretSource           secret
  ConfigMapSource        configMap
  DownwardAPISource      downwardAPI
  ProjectedSource        projected
  PersistentVolumeClaimSource  persistentVolumeClaim
  any                    awsElasticBlockStore azureDisk azureFile cephfs cinder csi ephemeral fc flexVolume
  any                    flocker gcePersistentDisk gitRepo glusterfs image iscsi nfs photonPersistentDisk
  any                    portworxVolume quobyte rbd scaleIO storageos vsphereVolume

HostPathSource
  string  path! type

EmptyDirSource
  string    medium
  quantity  sizeLimit

KeyToPath
  string  key! path!
  int32   mode

SecretSource
  string       secretName
  [KeyToPath]  items
  int32        defaultMode
  bool         optional

ConfigMapSource
  string       name
  [KeyToPath]  items
  int32        defaultMode
  bool         optional

DownwardAPISource
  [DownwardAPIFile]  items
  int32              defaultMode

DownwardAPIFile
  string                 path!
  ObjectFieldSelector    fieldRef
  ResourceFieldSelector  resourceFieldRef
  int32                  mode

ProjectedSource
  [VolumeProjection]  sources
  int32               defaultMode

VolumeProjection
  SecretProjection       secret configMap
  DownwardAPISource      downwardAPI
  ServiceAccountTokenProjection  serviceAccountToken
  any                    clusterTrustBundle podCertificate

SecretProjection
  string       name
  [KeyToPath]  items
  bool         optional

ServiceAccountTokenProjection
  string  audience path!
  int64   expirationSeconds

PersistentVolumeClaimSource
  string  claimName!
  bool    readOnly
`;
